from pathlib import Path

import pytest

from adapter.domain.errors import ObjectMissing, StorageKeyUnknown
from adapter.storage.pvc import ClaimProvider, Folder, LocalProvider
from adapter.storage.repository import MountedFolder, StorageConfig


@pytest.fixture
def claim(tmp_path: Path) -> Folder:
    """The claim `data`, with `models/iris` in it, and `secret` beside it."""
    (tmp_path / "data/models").mkdir(parents=True)
    (tmp_path / "data/models/iris").write_text("iris")
    (tmp_path / "secret").write_text("hush")
    return Folder(tmp_path / "data", uri="pvc://data", origin="storage key 'k'")


def a_claim(name: object) -> StorageConfig:
    return StorageConfig(type="pvc", fields={"name": name}, secret_key="k")


@pytest.mark.parametrize("path", ["models/iris", "/models/iris", "../models//./iris", "models/x/../iris"])
def test_a_path_is_found_within_the_claim(claim: Folder, tmp_path: Path, path: str) -> None:
    assert claim.locate(path) == tmp_path / "data/models/iris"


def test_links_on_the_way_are_resolved(claim: Folder, tmp_path: Path) -> None:
    (tmp_path / "data/latest").symlink_to("models")
    assert claim.locate("latest/iris") == tmp_path / "data/models/iris"


def test_an_empty_path_is_the_whole_claim(claim: Folder, tmp_path: Path) -> None:
    assert claim.locate("") == tmp_path / "data"


@pytest.mark.parametrize("path", ["models/mnist", "models/iris/below", "a\0b"])
def test_what_is_not_there_is_missing(claim: Folder, path: str) -> None:
    with pytest.raises(ObjectMissing, match=r"there is nothing at pvc://data/.*storage key 'k'"):
        claim.locate(path)


@pytest.mark.parametrize("target", ["../secret", "/etc/hostname", "../data-of-another"])
def test_a_link_out_of_the_claim_is_refused(claim: Folder, tmp_path: Path, target: str) -> None:
    (tmp_path / "data-of-another").write_text("hush")
    (tmp_path / "data/escape").symlink_to(target)
    with pytest.raises(ObjectMissing, match="leads out of"):
        claim.locate("escape")


def test_links_that_go_round_are_refused(claim: Folder, tmp_path: Path) -> None:
    (tmp_path / "data/round").symlink_to("round")
    with pytest.raises(ObjectMissing):
        claim.locate("round")


async def test_a_claim_is_found_below_the_mounts(claim: Folder, tmp_path: Path) -> None:
    mounted = await ClaimProvider(tmp_path).client(a_claim("data"))
    assert isinstance(mounted, MountedFolder)
    assert mounted.locate("models") == claim.locate("models")
    assert mounted.uri("models/iris") == "pvc://data/models/iris"


async def test_a_claim_that_is_not_mounted_is_missing(tmp_path: Path) -> None:
    mounted = await ClaimProvider(tmp_path).client(a_claim("other"))
    with pytest.raises(ObjectMissing, match="is the claim mounted"):
        mounted.locate("models")


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", None, 5])
async def test_a_claim_needs_a_name(tmp_path: Path, name: object) -> None:
    with pytest.raises(StorageKeyUnknown, match="storage key 'k', type pvc: `name`"):
        await ClaimProvider(tmp_path).client(a_claim(name))


async def test_a_local_path_may_be_absolute(claim: Folder, tmp_path: Path) -> None:
    mounted = await LocalProvider(tmp_path / "data").client(StorageConfig(type="local"))
    assert (
        mounted.locate(f"{tmp_path}/data/models/iris")
        == mounted.locate("models/iris")
        == claim.locate("models/iris")
    )


async def test_an_absolute_path_elsewhere_is_not_left_for(claim: Folder, tmp_path: Path) -> None:
    assert claim.locate("") == tmp_path / "data"
    mounted = await LocalProvider(tmp_path / "data").client(StorageConfig(type="local"))
    with pytest.raises(ObjectMissing):
        mounted.locate(f"{tmp_path}/secret")
