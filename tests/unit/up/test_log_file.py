from pathlib import Path

from adapter.up.log_file import LogFile


def test_lines_are_appended_and_there_at_once(tmp_path: Path) -> None:
    for line in ("first run", "second run"):
        log = LogFile(tmp_path / "a.log")
        log.note(line)
        assert (tmp_path / "a.log").read_text().endswith(f"{line}\n")
        log.close()
    assert (tmp_path / "a.log").read_text() == "first run\nsecond run\n"


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", bytes_max=100)
    for number in range(100):
        log.note(f"line {number}")
    log.close()
    kept = [(tmp_path / name).read_text() for name in ("a.log.1", "a.log")]
    assert max(map(len, kept)) < 110
    assert "".join(kept).endswith("line 98\nline 99\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
