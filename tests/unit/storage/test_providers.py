from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.errors import BadModelKey, StorageKeyUnknown
from adapter.storage.providers import provider_for, the_providers
from adapter.storage.repository import StorageConfig
from adapter.storage.s3 import S3Provider


@pytest.fixture
def s3() -> Iterator[S3Provider]:
    provider = S3Provider()
    yield provider
    provider.close()


def test_local_folders_are_off_unless_one_is_allowed(s3: S3Provider, tmp_path: Path) -> None:
    assert set(the_providers(s3=s3)) == {"s3", "pvc"}
    assert set(the_providers(s3=s3, local_folder=tmp_path)) == {"s3", "pvc", "local", "file"}


def test_the_type_chooses_the_provider(s3: S3Provider) -> None:
    assert provider_for(StorageConfig(type="s3"), the_providers(s3=s3)) is s3


@pytest.mark.parametrize(
    ("secret_key", "error"),
    [("k", StorageKeyUnknown), (None, BadModelKey)],
    ids=["in the secret", "in the key"],
)
def test_a_type_that_nobody_provides_is_told_who_does(
    s3: S3Provider, secret_key: str | None, error: type[Exception]
) -> None:
    storage = StorageConfig(type="gcs", secret_key=secret_key)
    with pytest.raises(error, match=r"no provider registered .* of type 'gcs'; .* from pvc, s3"):
        provider_for(storage, the_providers(s3=s3))
