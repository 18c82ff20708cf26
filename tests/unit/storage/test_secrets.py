import json
from pathlib import Path

import pytest

from adapter.domain.errors import BadModelKey, StorageKeyUnknown
from adapter.storage import secrets
from adapter.storage.model_key import ModelKey
from adapter.storage.secrets import SecretFolder


def a_folder(at: Path, **entries: object) -> SecretFolder:
    """A secret as the kubelet mounts it: each key links through `..data` into a dated folder."""
    swap(at, "..2026_1", **entries)
    for name in entries:
        (at / name).symlink_to(f"..data/{name}")
    return SecretFolder(at)


def swap(at: Path, dated: str, **entries: object) -> None:
    (at / dated).mkdir()
    for name, entry in entries.items():
        (at / dated / name).write_text(entry if isinstance(entry, str) else json.dumps(entry))
    (at / "..next").symlink_to(dated)
    (at / "..next").replace(at / "..data")


async def test_a_key_names_its_entry(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, mine={"type": "s3", "bucket": "b"})
    storage = await folder.resolve(ModelKey(storage_key="mine"))
    assert (storage.type, storage.fields["bucket"], storage.secret_key) == ("s3", "b", "mine")


async def test_a_changed_secret_counts_from_the_next_use_on(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, mine={"type": "s3"})
    await folder.entry("mine")
    swap(tmp_path, "..2026_2", mine={"type": "gs"})
    assert await folder.entry("mine") == {"type": "gs"}


async def test_an_unchanged_secret_is_read_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, mine={"type": "s3"})
    assert await folder.entry("mine") is await folder.entry("mine")


async def test_a_file_written_anew_in_place_is_read_again(tmp_path: Path) -> None:
    folder = SecretFolder(tmp_path)
    for kind in ("s3", "gcs"):
        (tmp_path / "mine").write_text(json.dumps({"type": kind}))
        assert await folder.entry("mine") == {"type": kind}


async def test_only_so_many_keys_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "KEYS_REMEMBERED_MAX", 2)
    folder = a_folder(tmp_path, a={}, b={}, c={})
    for name in ("a", "b", "c"):
        assert await folder.entry(name) == {}
    assert len(folder._read) <= 2


@pytest.mark.parametrize(
    ("params", "kind", "used"),
    [
        pytest.param({}, "typeless-default", "default", id="the default"),
        pytest.param(
            {"type": "test-default-type"}, "test-default-type", "default_test-default-type", id="typed"
        ),
        pytest.param({"type": "other"}, "other", None, id="no fall back from the typed one to the other"),
    ],
)
async def test_without_a_key_a_default_is_used(
    tmp_path: Path, params: dict[str, str], kind: str, used: str | None
) -> None:
    defaults = {"default": {"type": "typeless-default"}, "default_test-default-type": {"a": "b"}}
    storage = await a_folder(tmp_path, **defaults).resolve(ModelKey(storage_params=params))
    assert (storage.type, storage.secret_key) == (kind, used)


@pytest.mark.parametrize("broken", ["{", "[]", ""])
async def test_a_default_that_cannot_be_used_is_as_if_it_was_not_there(tmp_path: Path, broken: str) -> None:
    folder = a_folder(tmp_path, default_pvc=broken)
    storage = await folder.resolve(ModelKey(storage_params={"type": "pvc", "name": "claim"}))
    assert storage.fields == {"type": "pvc", "name": "claim"}


async def test_nothing_configured_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        BadModelKey, match=r"^Predictor Storage field missing: .*'default'.*name a storage key"
    ):
        await SecretFolder(tmp_path).resolve(ModelKey())


async def test_an_unknown_key_is_told_the_known_ones(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, zeta={"type": "s3"}, alpha={"secret_access_key": "hush"})
    with pytest.raises(
        StorageKeyUnknown, match=r"no storage key 'beta': .* has alpha, zeta. Name one"
    ) as failure:
        await folder.resolve(ModelKey(storage_key="beta"))
    assert "hush" not in str(failure.value)


async def test_a_secret_that_is_not_mounted_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageKeyUnknown, match=r"nowhere cannot be read .* is the secret mounted"):
        await SecretFolder(tmp_path / "nowhere").entry("mine")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "..data", "../outside", "a/b", "/etc/passwd", "a\0b", "ü", "a" * 254]
)
async def test_a_key_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text('{"type": "s3"}')
    (tmp_path / "secret").mkdir()
    folder = a_folder(tmp_path / "secret", mine={})
    with pytest.raises(StorageKeyUnknown, match="there is no storage key"):
        await folder.resolve(ModelKey(storage_key=name))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param('{"secret_access_key": "hush"', "is not JSON", id="cut off"),
        pytest.param('["hush"]', "is not a JSON object", id="a list"),
        pytest.param('"hush"' + " " * (1 << 20), "is larger than", id="too large"),
    ],
)
async def test_an_entry_that_cannot_be_read_is_not_repeated(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(StorageKeyUnknown, match=f"'mine' cannot be used: .*{why}") as failure:
        await a_folder(tmp_path, mine=content).entry("mine")
    assert "hush" not in str(failure.value)
    assert failure.value.__cause__ is None


async def test_a_key_that_is_a_folder_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(StorageKeyUnknown, match=r"'mine' cannot be used: .* Is a directory"):
        await SecretFolder(tmp_path).entry("mine")


async def test_what_was_read_is_not_shown(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, mine={"secret_access_key": "hush"})
    await folder.entry("mine")
    assert "hush" not in repr(folder) + repr(folder._read)
