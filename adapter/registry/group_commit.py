"""Commits of many callers in one transaction of etcd, each with its own guards.

A transaction costs etcd a sync of its disk, and us a call, whatever is in it. So whatever is asked for while
one is under way goes into the next, nested in it as a transaction that its own guards let pass or not. When
much is going on the next one waits a moment and so carries more; when little is, it leaves at once.

etcd looks at all guards before it writes anything, and refuses a key that is written twice. So what touches
a key that the transaction writes already waits for the next; all in one are as if done one after the other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, InvalidRequest, RegistryUnavailable
from adapter.registry.registry import LeaseLost
from adapter.stubs.etcd import rpc_pb2 as rpc

OPERATIONS_MAX: Final = 120
"""In one transaction; etcd's own bound is 128 (`--max-txn-ops`)."""
BYTES_MAX: Final = 1_000_000
"""Of keys and values in one transaction of several; etcd's own bound is 1.5 MiB (`--max-request-bytes`)."""
PENDING_MAX: Final = 20_000
"""Commits that wait for a transaction; a further one is told `RegistryUnavailable` at once."""
WAIT_S_MAX: Final = 5.0
"""What has waited for longer is not tried any more."""
PAUSE_S: Final = 0.010
"""Between the beginnings of two transactions, when they are busy."""
BUSY_MIN: Final = 4
"""A transaction of so many operations is a busy one."""
LOOK_PAST_MAX: Final = 256
"""So many commits that must wait are looked past for some that need not."""

_OVERHEAD_BYTES: Final = 32
_EQUAL: Final = rpc.Compare.EQUAL
_MOD: Final = rpc.Compare.MOD

Send = Callable[[rpc.TxnRequest], Awaitable[rpc.TxnResponse]]
"""Raises `LeaseLost`, `InvalidRequest`, `RegistryUnavailable`."""


class _Commit:
    """One caller's wish, and what it is told."""

    __slots__ = ("asked_s", "guards", "lease", "operations", "outcome", "size", "writes")

    def __init__(
        self,
        writes: Mapping[bytes, bytes | None],
        guards: Mapping[bytes, int],
        lease: int,
        asked_s: float,
        outcome: "asyncio.Future[int | None]",
    ) -> None:
        self.writes = writes
        self.guards = guards
        self.lease = lease
        self.asked_s = asked_s
        self.outcome = outcome
        self.operations = max(len(writes), len(guards))
        self.size = sum(len(key) + len(value or b"") + _OVERHEAD_BYTES for key, value in writes.items())

    def fail(self, error: Exception) -> None:
        """With an error of its own: a raised one gathers the frames of whoever raises it."""
        if not self.outcome.done():
            self.outcome.set_exception(type(error)(*error.args))


class _Txn:
    """What goes into one transaction."""

    def __init__(self) -> None:
        self.commits: list[_Commit] = []
        self.places = 0
        """Operations of the outer transaction."""
        self._taken: set[bytes] = set()
        self._deepest = 0
        self._size = 0

    def clashes(self, commit: _Commit) -> bool:
        taken = self._taken
        return not (taken.isdisjoint(commit.writes) and taken.isdisjoint(commit.guards))

    def reserve(self, commit: _Commit) -> None:
        """It goes into a later one, and nobody who asked after it overtakes it."""
        self._taken.update(commit.writes)

    def has_room(self, commit: _Commit) -> bool:
        if not self.commits:
            return True
        places, depth = _shape(commit)
        # etcd bounds what is nested by what the outer one leaves.
        fits = self.places + places + max(self._deepest, depth) <= OPERATIONS_MAX
        return fits and self._size + commit.size <= BYTES_MAX

    def add(self, commit: _Commit) -> None:
        places, depth = _shape(commit)
        self.commits.append(commit)
        self._taken.update(commit.writes)
        self.places += places
        self._deepest = max(self._deepest, depth)
        self._size += commit.size


def _shape(commit: _Commit) -> tuple[int, int]:
    """How many places it takes in the outer transaction, and how many in one of its own."""
    return (1, commit.operations) if commit.guards else (len(commit.writes), 0)


class GroupCommit:
    """Gathers commits; `run` carries them out."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self.writes = 0
        """Keys that were written or deleted."""
        self.transactions = 0
        """Sent, whatever became of them."""
        self._send = send
        self._clock = clock
        self._pending: deque[_Commit] = deque()
        self._wake = asyncio.Event()
        self._began_s = -PAUSE_S
        self._was_busy = False
        self._ended = False

    @property
    def pending(self) -> int:
        return len(self._pending)

    def submit(
        self, writes: Mapping[bytes, bytes | None], *, guards: Mapping[bytes, int], lease: int = 0
    ) -> "asyncio.Future[int | None]":
        """The outcome: a revision, or None when a guard did not hold.

        One that is cancelled before its transaction leaves is not written. Raises `RegistryUnavailable`.
        """
        if self._ended:
            raise RegistryUnavailable("the registry is closed: this instance is going down")
        if len(self._pending) >= PENDING_MAX:
            raise RegistryUnavailable(f"{PENDING_MAX} commits wait for etcd already; try again later")
        outcome: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        commit = _Commit(writes, guards, lease, self._clock.now_s(), outcome)
        if commit.operations > OPERATIONS_MAX:
            raise ValueError(f"a commit of {commit.operations} keys; at most {OPERATIONS_MAX} are possible")
        self._pending.append(commit)
        self._wake.set()
        return outcome

    async def run(self) -> None:
        """Carry out what is asked for until this is cancelled; what waits then is told so."""
        try:
            while True:
                await self._due()
                if commits := self._next():
                    await self._carry_out(commits)
        finally:
            self._ended = True
            for commit in self._pending:
                commit.fail(RegistryUnavailable("the registry is closed: nothing was written"))
            self._pending.clear()

    async def _due(self) -> None:
        if not self._pending:
            self._wake.clear()
            await self._wake.wait()
        rest_s = self._began_s + PAUSE_S - self._clock.now_s()
        if self._was_busy and rest_s > 0 and len(self._pending) < OPERATIONS_MAX:
            await self._clock.sleep(rest_s)

    def _next(self) -> list[_Commit]:
        """As many as go together, in their order."""
        txn, later = _Txn(), list[_Commit]()
        too_late_s = self._clock.now_s() - WAIT_S_MAX
        while self._pending and len(later) < LOOK_PAST_MAX:
            commit = self._pending.popleft()
            if commit.outcome.done():  # whoever asked has left
                continue
            if commit.asked_s < too_late_s:
                commit.fail(RegistryUnavailable(f"etcd is too slow: nothing was written in {WAIT_S_MAX:g} s"))
            elif txn.clashes(commit):
                txn.reserve(commit)
                later.append(commit)
            elif txn.has_room(commit):
                txn.add(commit)
            else:
                later.append(commit)
                break
        self._pending.extendleft(reversed(later))
        self._was_busy = txn.places >= BUSY_MIN
        return txn.commits

    async def _carry_out(self, commits: list[_Commit]) -> None:
        request, nested = _request(commits)
        self._began_s = self._clock.now_s()
        self.transactions += 1
        try:
            response = await self._send(request)
        except LeaseLost as error:
            # All of it failed for the sake of one lease.
            await self._apart(_by_lease(commits), error)
        except InvalidRequest as error:
            await self._apart([[commit] for commit in commits], error)
        except AdapterError as error:
            _fail(commits, error)
        except asyncio.CancelledError:
            _fail(commits, RegistryUnavailable("the registry was closed meanwhile: it may have been written"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it
            _fail(commits, RegistryUnavailable(f"the registry failed: {error!r}"))
        else:
            self._tell(commits, nested, response)

    async def _apart(self, groups: list[list[_Commit]], error: Exception) -> None:
        """Carry out each group by itself; if there is only one, the error is its own."""
        if len(groups) == 1:
            _fail(groups[0], error)
            return
        for group in groups:
            await self._carry_out(group)

    def _tell(self, commits: list[_Commit], nested: list[int], response: rpc.TxnResponse) -> None:
        revision, responses = response.header.revision, response.responses
        for commit, at in zip(commits, nested, strict=True):
            done = at < 0 or responses[at].response_txn.succeeded
            if done:
                self.writes += len(commit.writes)
            if not commit.outcome.done():
                commit.outcome.set_result(revision if done else None)


def _request(commits: Iterable[_Commit]) -> tuple[rpc.TxnRequest, list[int]]:
    """One transaction, and where in it each commit is nested; -1: it has no guards, and is not."""
    request, nested, places = rpc.TxnRequest(), [], 0
    for commit in commits:
        if commit.guards:
            inner = request.success.add().request_txn
            for key, revision in commit.guards.items():
                guard = inner.compare.add()
                guard.result, guard.target = _EQUAL, _MOD
                guard.key, guard.mod_revision = key, revision
            nested.append(places)
            places += 1
        else:
            inner = request
            nested.append(-1)
            places += len(commit.writes)
        for key, value in commit.writes.items():
            operation = inner.success.add()
            if value is None:
                operation.request_delete_range.key = key
                continue
            put = operation.request_put
            put.key, put.value, put.lease = key, value, commit.lease
    return request, nested


def _by_lease(commits: Iterable[_Commit]) -> list[list[_Commit]]:
    groups: dict[int, list[_Commit]] = {}
    for commit in commits:
        groups.setdefault(commit.lease, []).append(commit)
    return list(groups.values())


def _fail(commits: Iterable[_Commit], error: Exception) -> None:
    for commit in commits:
        commit.fail(error)
