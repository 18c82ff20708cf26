from pathlib import Path

import pytest

from adapter.cluster.local_folder import Look, ManifestFolder
from adapter.cluster.local_text import documents
from adapter.domain.errors import Refused
from adapter.domain.kinds import CONFIG_MAP, Key, Manifest

A, B, C = (Key(kind=CONFIG_MAP, name=name, namespace="default") for name in "abc")


def settings(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def text(name: str, value: str = "1") -> str:
    head = f"# about {name}\napiVersion: v1\nkind: ConfigMap\n"
    return f"{head}metadata: {{name: {name}}}\ndata: {{v: '{value}'}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> ManifestFolder:
    return ManifestFolder(tmp_path / "m", "default")


def lay(folder: ManifestFolder, **files: str) -> Look:
    folder.path.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder.path / name.replace("_", ".")).write_text(content)
    return folder.look()


def data_of(look: Look) -> dict[Key, object]:
    return {key: found.manifest["data"] for key, found in look.found.items()}


def test_what_all_files_declare_is_there(folder: ManifestFolder) -> None:
    look = lay(
        folder, x_yaml=f"{text('a')}---\n{text('b')}", y_yml=text("c"), z_txt=text("d"), _hidden_yaml="["
    )
    assert set(look.found) == {A, B, C}
    assert {found.source for found in look.found.values()} == {"x.yaml", "y.yml"}
    assert look.flaws == ()


def test_one_bad_document_or_file_harms_no_other(folder: ManifestFolder) -> None:
    look = lay(folder, x_yaml=f"{text('a')}---\nkind: [\n", y_yaml="\tx", z_json="{")
    assert set(look.found) == {A}
    told = [str(flaw) for flaw in look.flaws]
    assert [each.split(":")[0] for each in told] == [
        "x.yaml, document 2",
        "y.yaml, document 1",
        "z.json, document 1",
    ]


def test_what_cannot_be_read_may_declare_what_it_names(folder: ManifestFolder) -> None:
    look = lay(folder, x_yaml=f"{text('a')}---\nmetadata: {{name: bert\n")
    assert look.may_declare("x.yaml", "bert")
    assert not look.may_declare("x.yaml", "gone")
    assert not look.may_declare("other.yaml", "bert")


def test_a_file_that_is_no_text_may_declare_anything(folder: ManifestFolder) -> None:
    folder.path.mkdir()
    (folder.path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    look = folder.look()
    assert "UTF-8" in str(look.flaws[0])
    assert look.may_declare("x.yaml", "anything")


def test_a_folder_that_is_not_there_declares_nothing_and_says_so(folder: ManifestFolder) -> None:
    look = folder.look()
    assert not look.is_there
    assert look.may_declare("x.yaml", "a")
    assert "cannot be read" in str(look.flaws[0])


def test_of_two_declarations_the_first_counts(folder: ManifestFolder) -> None:
    look = lay(folder, x_yaml=text("a", "1"), y_yaml=text("a", "2"))
    assert data_of(look) == {A: {"v": "1"}}
    assert str(look.flaws[0]) == "y.yaml: ConfigMap default/a is declared in x.yaml already"


def test_what_a_local_cluster_does_not_have_is_passed_over(folder: ManifestFolder) -> None:
    look = lay(folder, x_yaml="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n")
    assert "passed over" in str(look.flaws[0])
    assert not look.may_declare("x.yaml", "d")


def test_only_what_has_changed_is_read_again(folder: ManifestFolder) -> None:
    first = lay(folder, x_yaml=text("a"), y_yaml=text("b"))
    second = lay(folder, y_yaml=text("b", "22"))
    assert second.found[A] is first.found[A]
    assert second.found[B].digest != first.found[B].digest
    (folder.path / "y.yaml").unlink()
    assert set(folder.look().found) == {A}


def put(folder: ManifestFolder, manifest: Manifest) -> str:
    return folder.put(manifest).source


def test_what_is_put_into_it_is_declared(folder: ManifestFolder) -> None:
    assert put(folder, settings("a", v="1")) == "configmap.default.a.yaml"
    assert put(folder, settings("a", v="2")) == "configmap.default.a.yaml"
    assert data_of(folder.look()) == {A: {"v": "2"}}
    assert (folder.path / "configmap.default.a.yaml").stat().st_mode & 0o077 == 0


def test_it_is_put_in_place_of_its_declaration_and_all_else_stays_as_it_was_written(
    folder: ManifestFolder,
) -> None:
    lay(folder, x_yaml=f"{text('a')}---\n{text('b')}---\n{text('c')}")
    assert put(folder, settings("b", v="2")) == "x.yaml"
    written = (folder.path / "x.yaml").read_text()
    assert data_of(folder.look()) == {A: {"v": "1"}, B: {"v": "2"}, C: {"v": "1"}}
    assert "# about a" in written
    assert "# about c" in written
    assert len(list(documents(written))) == 3


def test_the_same_again_does_not_touch_the_file(folder: ManifestFolder) -> None:
    lay(folder, x_yaml=text("a"))
    before = (folder.path / "x.yaml").stat()
    put(folder, settings("a", v="1"))
    assert (folder.path / "x.yaml").stat() == before


@pytest.mark.parametrize(
    ("content", "left"),
    [
        pytest.param(f"{text('a')}---\n{text('b')}", f"---\n{text('b')}", id="the first"),
        pytest.param(f"{text('b')}---\n{text('a')}", text("b"), id="the last"),
    ],
)
def test_what_is_removed_is_taken_out_of_its_file(folder: ManifestFolder, content: str, left: str) -> None:
    lay(folder, x_yaml=content)
    assert folder.remove(A)
    assert (folder.path / "x.yaml").read_text() == left


def test_a_file_of_which_nothing_is_left_goes(folder: ManifestFolder) -> None:
    lay(folder, x_yaml=text("a"), y_yaml=text("a"))
    assert folder.remove(A)
    assert list(folder.path.iterdir()) == []
    assert not folder.remove(A)


def test_lists_and_json_lose_one_of_theirs(folder: ManifestFolder) -> None:
    items = f'{{"kind": "List", "items": [{settings("a")}, {settings("b")}]}}'.replace("'", '"')
    lay(folder, x_json=items, y_yaml=items.replace('"b"', '"c"'))
    assert folder.remove(A)
    assert set(folder.look().found) == {B, C}


def test_what_cannot_be_written_is_told(folder: ManifestFolder) -> None:
    folder.path.touch()
    with pytest.raises(Refused, match="cannot be written"):
        folder.put(settings("a"))


def test_a_long_name_has_a_file_too(folder: ManifestFolder) -> None:
    name = "a" * 240
    folder.put(settings(name))
    assert [key.name for key in folder.look().found] == [name]
