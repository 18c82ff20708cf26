"""How a range of keys is read: now or at a revision a moment ago, in pages, counted, filtered, sorted."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from adapter.registry.embedded_checks import compacted, future
from adapter.registry.key_range import KeyRange
from adapter.registry.sqlite_store import Row, SqliteStore
from adapter.stubs.etcd import rpc_pb2

Request = rpc_pb2.RangeRequest

SORT_KEYS: Final[dict[int, Callable[[Row], Any]]] = {
    Request.KEY: attrgetter("key"),
    Request.VERSION: attrgetter("version"),
    Request.CREATE: attrgetter("create_revision"),
    Request.MOD: attrgetter("mod_revision"),
    Request.VALUE: attrgetter("value"),
}


class _Found(NamedTuple):
    """The first rows in order of key, one more than was asked for if there are more."""

    rows: Sequence[Row]
    total: int
    """How many there are in all."""


def check_revision(store: SqliteStore, request: Request) -> None:
    """Whether the store can be read at the request's revision. Raises `Refusal`."""
    if request.revision > store.revision:
        raise future()
    if 0 < request.revision < store.history.readable:
        raise compacted()


def answer_range(store: SqliteStore, request: Request) -> rpc_pb2.RangeResponse:
    """See etcd's `KV.Range`; the header has the revision alone. The request has been checked."""
    keys = KeyRange.asked(request.key, request.range_end)
    response = rpc_pb2.RangeResponse(header=rpc_pb2.ResponseHeader(revision=store.revision_now))
    if keys.is_empty:
        return response
    if request.count_only:
        response.count = _find(store, keys, revision=request.revision, limit=0).total
        return response
    limit = max(request.limit, 0)
    whole = not limit or _is_reordered(request) or _is_filtered(request)
    found = _find(store, keys, revision=request.revision, limit=None if whole else limit + 1)
    rows = _chosen(found.rows, request) if whole else found.rows
    response.count = found.total
    response.more = bool(limit) and len(rows) > limit
    for row in rows[:limit] if limit else rows:
        kv = row.as_message()
        if request.keys_only:
            kv.ClearField("value")
            kv.ClearField("lease")  # etcd 3.7 does not tell it here, older ones do: nobody may rely on it
        response.kvs.append(kv)
    return response


def _find(store: SqliteStore, keys: KeyRange, *, revision: int, limit: int | None) -> _Found:
    if not 0 < revision < store.revision_now:
        rows = store.rows(keys, limit=limit)
        is_all = limit is None or len(rows) < limit
        return _Found(rows, len(rows) if is_all else store.count(keys))
    before = store.changed_after(revision, keys)
    return _find_before(store, keys, before, limit=limit)


def _find_before(
    store: SqliteStore, keys: KeyRange, before: dict[bytes, Row | None], *, limit: int | None
) -> _Found:
    """As `_find`, with these keys as they were before."""
    there = [row for row in before.values() if row is not None]
    # At most so many of the rows that are read now will be replaced.
    read = store.rows(keys, limit=None if limit is None else limit + len(before))
    rows = sorted([row for row in read if row.key not in before] + there)
    gone = sum(store.get(key) is not None for key in before)
    count = store.count(keys) - gone + len(there)
    return _Found(rows if limit is None else rows[:limit], count)


def _is_reordered(request: Request) -> bool:
    return request.sort_order == Request.DESCEND or (request.sort_target != Request.KEY)


def _is_filtered(request: Request) -> bool:
    return bool(
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )


def _chosen(rows: Sequence[Row], request: Request) -> Sequence[Row]:
    """What passes the filters, in the order that is asked for."""
    passing = [
        row
        for row in rows
        if _within(row.mod_revision, request.min_mod_revision, request.max_mod_revision)
        and _within(row.create_revision, request.min_create_revision, request.max_create_revision)
    ]
    if _is_reordered(request):
        # etcd takes a target without an order for an ascending one.
        passing.sort(key=SORT_KEYS[request.sort_target], reverse=request.sort_order == Request.DESCEND)
    return passing


def _within(revision: int, lowest: int, highest: int) -> bool:
    return (not lowest or revision >= lowest) and (not highest or revision <= highest)
