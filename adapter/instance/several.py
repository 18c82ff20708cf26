"""A call for several models at once: the same message to each, and their responses one after the other.

For protobuf, encoded messages one after the other are their merge: repeated fields append, maps merge
(reference: ModelMesh core 2.4).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from adapter.domain.errors import Code, InvalidRequest, ModelNotFound
from adapter.http2.call import Call
from adapter.http2.verdicts import Answer
from adapter.instance.models import Models
from adapter.servers.relay_server import RelayServer
from adapter.wire.headers import ModelRef, Pair, all_required, forwarded

MODELS_MAX: Final = 1000
_OF_ITS_OWN: Final = frozenset({"content-length", "te"})
"""Headers that each single call has anew."""


class _Failed(Exception):
    """One model's answer ends them all."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class _Room:
    """What all responses together may take: they become one message."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0

    def take(self, size: int) -> None:
        """Raises `_Failed`."""
        self._taken_bytes += size
        if self._taken_bytes > self._limit_bytes:
            text = f"the responses of all models take more than {self._limit_bytes} bytes together"
            raise _Failed(Answer(code=Code.RESOURCE_EXHAUSTED, text=text))


class Several:
    """Asks for each model as if it were asked for alone."""

    def __init__(self, models: Models, *, at_once_max: int) -> None:
        self._models = models
        self._at_once_max = at_once_max
        self.calls: RelayServer | None = None
        """Where the single calls are made; the program sets it."""

    async def answer(self, call: Call, refs: Sequence[ModelRef]) -> Answer:
        """All responses in the order of the ids, or the first failure; the other calls are cancelled then."""
        message = call.first_message
        if message is None:
            raise InvalidRequest("a call for several models is a unary one whose model is in the headers")
        if len(refs) > MODELS_MAX:
            raise InvalidRequest(f"{len(refs)} models in one call; at most {MODELS_MAX} are allowed")
        if not all_required(call.head.ids):
            refs = [ref for ref in refs if await self._models.exists(ref)]
            if not refs:
                raise ModelNotFound("none of the requested models were found")
        assert self.calls is not None
        slots = asyncio.Semaphore(self._at_once_max)
        room = _Room(self.calls.relay.shared.limits.message_bytes_max)
        failed: Answer | None = None
        tasks: list[asyncio.Task[Answer]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(call, ref, message, slots, room)) for ref in refs]
        except* _Failed as failures:
            first = failures.exceptions[0]
            assert isinstance(first, _Failed)
            failed = first.answer
        if failed is not None:
            return failed
        answers = [task.result() for task in tasks]
        return Answer(
            initial=_distinct(pair for answer in answers for pair in answer.initial),
            trailing=_distinct(pair for answer in answers for pair in answer.trailing),
            message=b"".join(answer.message or b"" for answer in answers),
        )

    async def _one(
        self, call: Call, ref: ModelRef, message: bytes, slots: asyncio.Semaphore, room: _Room
    ) -> Answer:
        assert self.calls is not None
        metadata = [pair for pair in forwarded(call.head.metadata()) if pair[0] not in _OF_ITS_OWN]
        metadata.append((f"mm-{ref.kind.value}-id-bin", ref.name.encode()))
        async with slots:
            answer = await self.calls.unary(
                call.head.rpc, message, metadata=metadata, timeout_s=call.time_left_s(), inner=True
            )
        if answer.code is not Code.OK:
            raise _Failed(answer)
        room.take(len(answer.message or b""))
        return answer


def _distinct(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(dict.fromkeys(pairs))
