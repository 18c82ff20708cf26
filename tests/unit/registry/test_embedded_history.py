import pytest

from adapter.registry.embedded_history import EVENT_OVERHEAD_BYTES, Happened, History, Revision


def revision(number: int, *, size_bytes: int = 0) -> Revision:
    return Revision(number, [Happened(b"", bytes(size_bytes), b"")])


def numbers(history: History, since: int, **more: int) -> list[int] | None:
    found = history.since(since, **more)
    return None if found is None else [each.number for each in found]


def a_history(count: int, *, start: int = 1, **bounds: int) -> History:
    history = History(start, **bounds)
    history.append(map(revision, range(start + 1, start + 1 + count)))
    return history


def test_after_a_restart_nothing_is_known_but_what_comes() -> None:
    history = History(41)
    assert (history.first, history.last, history.readable) == (42, 41, 41)
    assert numbers(history, 41) is None
    assert numbers(history, 42) == []


def test_what_happened_is_told_from_a_revision_on() -> None:
    history = a_history(5)
    assert (history.first, history.last) == (2, 6)
    assert numbers(history, 3) == [3, 4, 5, 6]
    assert numbers(history, 3, limit=2) == [3, 4]
    assert numbers(history, 100) == []


def test_it_is_bounded_in_revisions() -> None:
    history = a_history(101, revisions_max=100)
    assert (history.first, history.last) == (13, 102)
    assert (history.readable, history.compacted) == (12, 11)
    assert numbers(history, 12) is None
    assert numbers(history, 13, limit=1) == [13]


def test_it_is_bounded_in_bytes() -> None:
    size_bytes = 1000 - EVENT_OVERHEAD_BYTES
    history = History(1, bytes_max=10_000)
    for number in range(2, 1000):
        history.append([revision(number, size_bytes=size_bytes)])
        assert history.last == number
        assert history.last - history.first < 10


def test_the_last_revision_is_kept_however_large() -> None:
    history = a_history(5, bytes_max=10_000)
    history.append([revision(7, size_bytes=20_000)])
    assert (history.first, history.last, history.readable) == (7, 7, 6)
    history.append([revision(8)])
    assert (history.first, history.last) == (8, 8)


@pytest.mark.parametrize("at", [2, 4, 6])
def test_a_compaction_keeps_its_own_revision(at: int) -> None:
    history = a_history(5)
    history.compact(at)
    assert (history.first, history.last) == (at, 6)
    assert (history.readable, history.compacted) == (at, at)
    assert numbers(history, at) == list(range(at, 7))
