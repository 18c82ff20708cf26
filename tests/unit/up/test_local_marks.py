from pathlib import Path

from adapter.up.local_marks import Marks

ONE, OTHER = ("ns", "one"), ("ns", "other")


def test_what_is_put_is_known_again(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "m.json")
    marks.put(ONE, {"a": "1"})
    marks.put(OTHER, {"b": "2"})
    marks.put(OTHER, {})
    again = Marks(tmp_path / "m.json")
    assert again.of(ONE) == {"a": "1"}
    assert again.of(OTHER) == {}


def test_a_file_that_says_something_else_is_forgotten(tmp_path: Path) -> None:
    for text in ("[", "[1]", '{"a": 7}'):
        (tmp_path / "m.json").write_text(text)
        assert Marks(tmp_path / "m.json").of(ONE) == {}


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    Marks(tmp_path / "m.json").put(ONE, {})
    assert not (tmp_path / "m.json").exists()
