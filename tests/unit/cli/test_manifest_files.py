import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapter.cli.manifest_files import STDIN, given
from adapter.domain.errors import InvalidRequest

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"


def test_every_object_of_files_and_folders_namespaces_first(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b.yml").write_text(SPACE)
    (tmp_path / "d" / "ignored.txt").write_text("[")
    (tmp_path / "a.yaml").write_text(MAP)
    found = given([tmp_path / "a.yaml", tmp_path / "d"], namespace="default")
    assert [str(each.key) for each in found] == ["Namespace n", "ConfigMap default/c"]


def test_one_that_is_wrong_is_told_with_its_place_and_harms_no_other(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{MAP}---\nkind: [\n---\nkind: Pod\napiVersion: v1\n")
    good, *bad = given([file], namespace="default")
    assert good.complaint == ""
    assert [each.source for each in bad] == [f"{file}, document {number}" for number in (2, 3)]
    assert all(each.complaint for each in bad)


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(MAP.encode())))
    assert [str(each.key) for each in given([STDIN], namespace="ns")] == ["ConfigMap ns/c"]


def test_a_namespace_that_is_named_must_be_the_objects(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(MAP.replace("name: c", "name: c, namespace: other"))
    (free,) = given([file], namespace="default")
    (bound,) = given([file], namespace="default", must_match=True)
    assert free.key is not None
    assert "does not match the namespace 'default'" in bound.complaint


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\x00")
    for path, complaint in (
        ("none.yaml", "cannot be read"),
        ("empty", "has no file"),
        ("bytes.yaml", "UTF-8"),
    ):
        with pytest.raises(InvalidRequest, match=complaint):
            given([tmp_path / path], namespace="default")
