"""What needs no store; `tests/integration/test_s3.py` has the rest, over a real one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.errors import StorageAccessDenied, StorageKeyUnknown
from adapter.storage import s3
from adapter.storage.repository import StorageConfig
from adapter.storage.s3 import S3Provider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3Provider]:
    """On a machine that has no credentials of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    provider = S3Provider()
    yield provider
    provider.close()


def an_entry(**fields: object) -> StorageConfig:
    keys = {
        "access_key_id": "id",
        "secret_access_key": "hush",
        "endpoint_url": "http://minio:9000",
        "bucket": "b",
    }
    return StorageConfig(type="s3", fields=keys | fields, secret_key="k")


async def test_a_client_says_where_and_with_which_key_and_no_secret(provider: S3Provider) -> None:
    client = await provider.client(an_entry())
    assert client.described == "http://minio:9000, storage key 'k'"
    assert client.uri("models/iris") == "s3://b/models/iris"
    assert "hush" not in repr(client)


async def test_equal_settings_share_a_connection_whatever_the_bucket(provider: S3Provider) -> None:
    clients = [
        await provider.client(an_entry(**fields)) for fields in ({}, {"bucket": "c"}, {"region": "eu"})
    ]
    assert clients[0]._boto is clients[1]._boto
    assert clients[0]._boto is not clients[2]._boto


async def test_many_who_come_first_make_one_connection(provider: S3Provider) -> None:
    clients = await asyncio.gather(*(provider.client(an_entry()) for _ in range(8)))
    assert len({id(client._boto) for client in clients}) == 1


async def test_what_boto3_cannot_use_is_told(provider: S3Provider) -> None:
    with pytest.raises(StorageKeyUnknown, match="storage key 'k', type s3: boto3 cannot use it"):
        await provider.client(an_entry(region="no region"))


async def test_only_so_many_connections_are_kept(
    provider: S3Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "CLIENTS_MAX", 2)
    first = await provider.client(an_entry(region="r0"))
    for region in ("r1", "r0", "r2"):
        await provider.client(an_entry(region=region))
    assert (await provider.client(an_entry(region="r0")))._boto is first._boto
    assert {settings.region for settings in provider._clients} == {"r0", "r2"}


async def test_a_machine_without_credentials_is_told_so_at_once(provider: S3Provider) -> None:
    with pytest.raises(StorageAccessDenied, match=r"storage key 'k'.*this machine has no credentials"):
        await provider.client(an_entry(access_key_id="", secret_access_key=""))


async def test_the_machines_own_credentials_are_used(
    provider: S3Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-the-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert await provider.client(an_entry(access_key_id="", secret_access_key=""))


async def test_a_certificate_must_be_one(provider: S3Provider) -> None:
    with pytest.raises(StorageKeyUnknown, match="`certificate` holds no certificate"):
        await provider.client(an_entry(certificate="-----BEGIN CERTIFICATE-----\nbad"))


async def test_warming_up_keeps_no_connection(provider: S3Provider) -> None:
    await provider.warm_up()
    assert not provider._clients
