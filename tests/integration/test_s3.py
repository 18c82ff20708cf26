"""The S3 client against a real MinIO, and against servers that misbehave as real ones sometimes do."""

import asyncio
import datetime as dt
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapter.domain.errors import (
    AdapterError,
    BadModelKey,
    DiskFull,
    ObjectMissing,
    StorageAccessDenied,
    StorageUnreachable,
)
from adapter.storage import s3
from adapter.storage.repository import RemoteObject, RepositoryClient, StorageConfig
from adapter.storage.s3 import S3Client, S3Provider
from tests.contracts.repository_client import AStore, RepositoryClientContract, listed
from tests.integration.conftest import MinioServer

BUCKETS = itertools.count(1)


@pytest.fixture
def provider() -> Iterator[S3Provider]:
    provider = S3Provider()
    yield provider
    provider.close()


@pytest.fixture
def bucket(minio: MinioServer) -> str:
    name = f"test-s3-{next(BUCKETS)}"
    minio.make_bucket(name)
    return name


def an_entry(minio: MinioServer, in_bucket: str, **fields: str) -> StorageConfig:
    return StorageConfig(type="s3", fields=minio.storage_key(in_bucket) | fields, secret_key="localMinIO")


class TestS3(RepositoryClientContract):
    @pytest.fixture
    def a_store(self, minio: MinioServer, bucket: str, provider: S3Provider) -> AStore:
        async def made(objects: Mapping[str, bytes]) -> RepositoryClient:
            for key, content in objects.items():
                minio.put(bucket, key, content)
            return await provider.client(an_entry(minio, bucket))

        return made


async def test_a_listing_is_complete_whatever_the_number(
    minio: MinioServer, bucket: str, provider: S3Provider
) -> None:
    keys = [f"m/{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: minio.client.put_object(Bucket=bucket, Key=key, Body=b"1"), keys))
    client = await provider.client(an_entry(minio, bucket))
    assert [found.key for found in await listed(client, "m/")] == keys


async def test_an_object_of_many_chunks_arrives_whole(
    minio: MinioServer, bucket: str, provider: S3Provider, tmp_path: Path
) -> None:
    content, arrived = bytes(range(256)) * (3 * s3.CHUNK_BYTES // 256) + b"the end", list[int]()
    minio.put(bucket, "large", content)
    client = await provider.client(an_entry(minio, bucket))
    [found] = await listed(client, "large")
    await client.fetch(found, tmp_path / "file", progress=arrived.append)
    assert content_of(tmp_path / "file") == content
    assert (sum(arrived), len(arrived) > 1) == (len(content), True)


@pytest.mark.parametrize(
    ("fields", "error", "complaint"),
    [
        pytest.param(
            {"secret_access_key": "wrong"}, StorageAccessDenied, "SignatureDoesNotMatch", id="secret"
        ),
        pytest.param({"access_key_id": "nobody"}, StorageAccessDenied, "InvalidAccessKeyId", id="access key"),
        pytest.param({"anonymous": "true"}, StorageAccessDenied, "AccessDenied", id="anonymous"),
        pytest.param({"bucket": "not-there"}, ObjectMissing, "no such bucket", id="bucket"),
        pytest.param({"bucket": "no such name"}, BadModelKey, "no such name", id="name of the bucket"),
    ],
)
async def test_what_the_store_refuses_is_told_with_uri_and_key(
    minio: MinioServer,
    bucket: str,
    provider: S3Provider,
    fields: dict[str, str],
    error: type[AdapterError],
    complaint: str,
) -> None:
    client = await provider.client(an_entry(minio, bucket, **fields))
    with pytest.raises(error, match=complaint) as failure:
        await listed(client, "iris")
    assert f"s3://{fields.get('bucket', bucket)}/iris" in str(failure.value)
    assert "storage key 'localMinIO'" in str(failure.value)
    assert minio.secret_key not in str(failure.value)


async def test_a_public_bucket_needs_no_keys(
    minio: MinioServer, bucket: str, provider: S3Provider, tmp_path: Path
) -> None:
    minio.put(bucket, "iris", b"public")
    everybody = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": '
    rights = (
        f'["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]'
    )
    minio.client.put_bucket_policy(Bucket=bucket, Policy=f"{everybody}{rights}}}]}}")
    entry = an_entry(minio, bucket, anonymous="true", access_key_id="", secret_access_key="")
    client = await provider.client(entry)
    [found] = await listed(client, "iris")
    await client.fetch(found, tmp_path / "file")
    assert content_of(tmp_path / "file") == b"public"


async def test_a_file_system_that_takes_no_more_is_full(
    minio: MinioServer, bucket: str, provider: S3Provider, tmp_path: Path
) -> None:
    minio.put(bucket, "large", bytes(3 * s3.CHUNK_BYTES))
    client = await provider.client(an_entry(minio, bucket))
    [found] = await listed(client, "large")
    setrlimit(RLIMIT_FSIZE, (s3.CHUNK_BYTES, RLIM_INFINITY))
    try:
        with pytest.raises(DiskFull, match=f"no room is left on disk for {tmp_path}/file"):
            await client.fetch(found, tmp_path / "file")
    finally:
        setrlimit(RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


async def test_a_link_in_a_files_place_is_not_followed(
    minio: MinioServer, bucket: str, provider: S3Provider, tmp_path: Path
) -> None:
    minio.put(bucket, "iris", b"1")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    client = await provider.client(an_entry(minio, bucket))
    [found] = await listed(client, "iris")
    with pytest.raises(AdapterError, match="the disk refuses"):
        await client.fetch(found, tmp_path / "link")
    assert exists(tmp_path / "elsewhere") is False


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def exists(path: Path) -> bool:
    return path.exists()


# Servers that misbehave: they answer every GET with what the test says.

IRIS = RemoteObject(key="iris", size_bytes=10)
Answer = Callable[[dict[str, str], asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer, **options: Any) -> AsyncIterator[int]:
    """A server that closes each connection after its answer; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
            await answer(dict(line.lower().split(": ", 1) for line in lines if line), writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def a_client(provider: S3Provider, port: int, **fields: object) -> S3Client:
    scheme = "https" if "tls" in fields else "http"
    keys = {"access_key_id": "a", "secret_access_key": "hush", "bucket": "b"}
    endpoint = {"endpoint_url": f"{scheme}://127.0.0.1:{port}"}
    return await provider.client(StorageConfig(type="s3", fields=keys | endpoint | fields, secret_key="k"))


def head(status: str, length: int) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()


async def test_a_body_that_breaks_off_goes_on_where_it_broke(provider: S3Provider, tmp_path: Path) -> None:
    asked = list[str | None]()

    async def answer(headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        asked.append(headers.get("range"))
        at = int((asked[-1] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        writer.write(head("206 Partial Content" if at else "200 OK", 10 - at) + b"0123456789"[at : at + 4])
        await writer.drain()

    async with serving(answer) as port:
        client = await a_client(provider, port)
        await client.fetch(IRIS, tmp_path / "file")
    assert asked == [None, "bytes=4-9", "bytes=8-9"]
    assert content_of(tmp_path / "file") == b"0123456789"


async def test_a_body_that_never_goes_on_is_given_up(provider: S3Provider, tmp_path: Path) -> None:
    async def answer(_headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", 10))
        await writer.drain()

    async with serving(answer) as port:
        client = await a_client(provider, port)
        with pytest.raises(StorageUnreachable, match="s3://b/iris"):
            await client.fetch(IRIS, tmp_path / "file")


@pytest.mark.parametrize("length", [9, 11])
async def test_a_body_of_another_length_is_another_object(
    provider: S3Provider, tmp_path: Path, length: int
) -> None:
    async def answer(_headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", length) + bytes(length))
        await writer.drain()

    async with serving(answer) as port:
        client = await a_client(provider, port)
        with pytest.raises(StorageUnreachable, match="was replaced while it was pulled"):
            await client.fetch(IRIS, tmp_path / "file")


async def test_an_endpoint_where_nobody_listens_is_given_up_in_seconds(provider: S3Provider) -> None:
    async with serving(lambda _headers, _writer: asyncio.sleep(0)) as port:
        pass
    client = await a_client(provider, port)
    async with asyncio.timeout(10):
        with pytest.raises(StorageUnreachable, match=f"http://127.0.0.1:{port}, storage key 'k'"):
            await listed(client, "iris")


async def test_a_server_that_never_answers_is_given_up(
    provider: S3Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "READ_TIMEOUT_S", 0.1)
    monkeypatch.setattr(s3, "TRIES_MAX", 2)
    over = asyncio.Event()
    async with serving(lambda _headers, _writer: waited(over)) as port:
        client = await a_client(provider, port)
        with pytest.raises(StorageUnreachable, match="ReadTimeoutError"):
            await listed(client, "iris")
        over.set()


async def waited(event: asyncio.Event) -> None:
    await event.wait()


async def test_a_cancel_takes_effect_at_once_and_the_thread_follows(
    provider: S3Provider, tmp_path: Path
) -> None:
    half_way, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", 2 * s3.CHUNK_BYTES) + bytes(s3.CHUNK_BYTES))
        await go_on.wait()
        writer.write(bytes(s3.CHUNK_BYTES))
        await writer.drain()

    def arrived(_size_bytes: int) -> None:
        half_way.set()

    large = RemoteObject(key="large", size_bytes=2 * s3.CHUNK_BYTES)
    async with serving(answer) as port, asyncio.TaskGroup() as group:
        client = await a_client(provider, port)
        task = group.create_task(client.fetch(large, tmp_path / "file", progress=arrived))
        await half_way.wait()
        task.cancel()
        await asyncio.wait([task])
        (tmp_path / "file").unlink()
        go_on.set()
        # Once its thread has ended, all of the threads are free again, and none made the file anew.
        rest = [asyncio.get_running_loop().run_in_executor(provider._threads, int) for _ in range(40)]
        await asyncio.gather(*rest)
    assert task.cancelled()
    provider._threads.shutdown()
    assert exists(tmp_path / "file") is False


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody trusts, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return pem.decode(), context


async def fetched_over_tls(
    provider: S3Provider, context: ssl.SSLContext, into: Path, **fields: object
) -> bytes:
    async def answer(_headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", 10) + b"0123456789")
        await writer.drain()

    async with serving(answer, ssl=context) as port:
        client = await a_client(provider, port, tls=True, **fields)
        await client.fetch(IRIS, into)
        return content_of(into)


@pytest.mark.parametrize("field", ["certificate", "ca_bundle"])
async def test_a_certificate_of_ones_own_is_trusted(
    provider: S3Provider, tmp_path: Path, certificate: tuple[str, ssl.SSLContext], field: str
) -> None:
    pem, context = certificate
    assert await fetched_over_tls(provider, context, tmp_path / "file", **{field: pem}) == b"0123456789"


async def test_a_ca_bundle_may_be_a_file(
    provider: S3Provider, tmp_path: Path, certificate: tuple[str, ssl.SSLContext]
) -> None:
    pem, context = certificate
    (tmp_path / "ca.pem").write_text(pem)
    fields = {"ca_bundle": str(tmp_path / "ca.pem")}
    assert await fetched_over_tls(provider, context, tmp_path / "file", **fields) == b"0123456789"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_a_certificate_need_not_be_looked_at(
    provider: S3Provider, tmp_path: Path, certificate: tuple[str, ssl.SSLContext]
) -> None:
    _, context = certificate
    assert await fetched_over_tls(provider, context, tmp_path / "file", verify_ssl="false") == b"0123456789"


async def test_a_certificate_that_nobody_trusts_is_told(
    provider: S3Provider, tmp_path: Path, certificate: tuple[str, ssl.SSLContext]
) -> None:
    _, context = certificate
    with pytest.raises(StorageUnreachable, match="certificate is not trusted"):
        await fetched_over_tls(provider, context, tmp_path / "file")
