from pathlib import Path

import pytest

from runtimes.python_runtime.files import read_file


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 1])
def test_the_whole_file_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert len(read_file(str(path))) == size


def test_its_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    assert read_file(str(path), bytes_max=3) == b"abc"
    assert read_file(str(path), bytes_max=99) == b"abcdef"


def test_what_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "gone"))
