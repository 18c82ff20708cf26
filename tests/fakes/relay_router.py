"""A `Router` that does what a test says, and holds the truth of whom it was asked about."""

from collections.abc import Callable, Coroutine
from typing import Any

from adapter.domain.errors import AdapterError, Code
from adapter.http2.call import Call
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, Plan, Target

Verdict = Target | AdapterError | None


class FakeRouter:
    """Routes every call to its `upstream` without waiting, unless told otherwise."""

    def __init__(self) -> None:
        self.upstream: Upstream
        self.plans: dict[str, Plan | AdapterError] = {}
        """By method; any other has an empty plan."""
        self.verdict: Callable[[Call], Verdict] = self.hit
        self.planned: list[tuple[str, Caller]] = []
        self.routed: list[Call] = []
        self.waiting: list[Call] = []
        """Calls that were to be resolved, oldest first; a test ends their wait."""
        self.pinned: list[Target] = []
        """Given out, and not yet released."""
        self.lost: list[Target] = []
        self.refused: list[tuple[Target, str, str]] = []
        """By another instance: with its word and text."""
        self.broken: list[tuple[Target, str]] = []
        """Connections to other instances: with the reason."""
        self.ended: list[tuple[Call, Code]] = []

    def hit(self, call: Call) -> Target:
        """The runtime, with the model that the call names in a header."""
        del call
        return self.target()

    def target(self, *, model: str = "m", fields: bytes = b"", message: bytes | None = None) -> Target:
        """The runtime."""
        target = Target(self.upstream, model=model, fields=fields)
        target.message = message
        return self.pin(target)

    def pin(self, target: Target) -> Target:
        """It will have to be released."""
        self.pinned.append(target)
        return target

    def miss(self, call: Call) -> None:
        """Nowhere yet: the call waits."""
        del call

    # The protocol.

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        self.planned.append((head.rpc, caller))
        plan = self.plans.get(head.rpc, Plan())
        if isinstance(plan, AdapterError):
            raise plan
        return plan

    def route(self, call: Call) -> Target | None:
        self.routed.append(call)
        verdict = self.verdict(call)
        if isinstance(verdict, AdapterError):
            raise verdict
        return verdict

    def resolve(self, call: Call) -> Coroutine[Any, Any, Target | Answer]:
        raise NotImplementedError("there is no shell: Play.begin_wait takes its place")

    def released(self, target: Target) -> None:
        if target.model:
            self.pinned.remove(target)

    def copy_lost(self, target: Target) -> None:
        self.lost.append(target)

    def peer_refused(self, call: Call, target: Target, word: str, text: str) -> None:
        assert target not in self.pinned, "it is told once the try has ended"
        self.refused.append((target, word, text))
        self.exclude(call, target, word)

    def peer_lost(self, call: Call, target: Target, reason: str) -> None:
        assert target not in self.pinned, "it is told once the try has ended"
        self.broken.append((target, reason))
        self.exclude(call, target, reason)

    @staticmethod
    def exclude(call: Call, target: Target, reason: str) -> None:
        """This call goes there no more."""
        call.excluded = {**(call.excluded or {}), target.upstream.name: reason}

    def answered(self, call: Call, code: Code) -> None:
        self.ended.append((call, code))

    @property
    def codes(self) -> list[Code]:
        """How the calls ended, in order."""
        return [code for _, code in self.ended]
