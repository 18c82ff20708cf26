import sqlite3
from pathlib import Path

import pytest

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.sqlite_file import SCHEMA_VERSION, STEPS, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mm.registry"


def test_the_schema_that_is_made_is_the_one_that_is_asked_for(path: Path) -> None:
    with opened(path) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
    assert version == SCHEMA_VERSION == len(STEPS)


def test_a_commit_is_synced_before_it_is_done(path: Path) -> None:
    with opened(path) as connection:
        [(synchronous,)] = connection.execute("PRAGMA synchronous")
        [(journal_mode,)] = connection.execute("PRAGMA journal_mode")
    assert (synchronous, journal_mode) == (2, "wal")


def test_a_file_is_opened_once(path: Path) -> None:
    with opened(path), pytest.raises(RegistryUnavailable, match="in use"), opened(path):
        pass


def test_the_store_keeps_its_name_and_counts_its_runs(path: Path) -> None:
    names = []
    for _ in range(3):
        with opened(path) as connection:
            names += connection.execute("SELECT cluster_id, member_id, raft_term FROM store").fetchall()
    assert [name[2] for name in names] == [2, 3, 4]
    assert len({name[:2] for name in names}) == 1
    assert all(names[0])


def test_the_file_of_another_version_is_refused(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(RegistryUnavailable, match="its schema is 99, ours 2"), opened(path):
        pass


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(RegistryUnavailable, match="another program's"), opened(path):
        pass
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    connection.close()


def test_of_a_step_that_fails_nothing_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "adapter.registry.sqlite_file.STEPS", (STEPS[0], STEPS[1] + "INSERT INTO none VALUES (1);")
    )
    with pytest.raises(RegistryUnavailable, match="cannot be used: no such table: none"), opened(path):
        pass
    monkeypatch.undo()
    with opened(path) as connection:
        assert connection.execute("SELECT revision FROM store").fetchall() == [(1,)]
