"""A `UnaryCalls` that holds the truth of what was called, and answers what a test lays ready."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.headers import Pair

REQUESTS: dict[str, type[Message]] = {
    "ServerLive": v2.ServerLiveRequest,
    "ServerReady": v2.ServerReadyRequest,
    "ServerMetadata": v2.ServerMetadataRequest,
    "ModelReady": v2.ModelReadyRequest,
    "ModelMetadata": v2.ModelMetadataRequest,
    "ModelInfer": v2.ModelInferRequest,
    "RepositoryIndex": v2.RepositoryIndexRequest,
    "RepositoryModelLoad": v2.RepositoryModelLoadRequest,
    "RepositoryModelUnload": v2.RepositoryModelUnloadRequest,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that was made."""

    method: str
    request: Message
    metadata: Sequence[Pair]
    timeout_s: float | None


Reply = Message | Answer | Callable[[Message], Message]


@dataclass(slots=True)
class FakeUnaryCalls:
    """Answers by the method's bare name; a method that nothing is laid ready for is UNIMPLEMENTED."""

    replies: dict[str, Reply] = field(default_factory=dict)
    made: list[Call] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """While it is there and not set, no call is answered."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    """A caller went away."""

    async def unary(
        self, method: str, message: bytes, *, metadata: Sequence[Pair] = (), timeout_s: float | None = None
    ) -> Answer:
        service, _, name = method.rpartition("/")
        assert service == "inference.GRPCInferenceService", method
        request = REQUESTS[name].FromString(message)
        self.made.append(Call(method=name, request=request, metadata=metadata, timeout_s=timeout_s))
        self.begun.set()
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self._reply(name, request)

    def begin(
        self,
        method: str,
        message: bytes,
        *,
        metadata: Sequence[Pair] = (),
        answered: Callable[[Answer], None],
    ) -> Callable[[], object]:
        """A call that is not held is answered before this returns."""
        name = method.rpartition("/")[2]
        if self.hold is None:
            request = REQUESTS[name].FromString(message)
            self.made.append(Call(method=name, request=request, metadata=metadata, timeout_s=None))
            self.begun.set()
            answered(self._reply(name, request))
            return lambda: None
        task = asyncio.get_running_loop().create_task(self.unary(method, message, metadata=metadata))
        task.add_done_callback(lambda done: None if done.cancelled() else answered(done.result()))
        return task.cancel

    def _reply(self, name: str, request: Message) -> Answer:
        match self.replies.get(name):
            case None:
                return Answer(code=Code.UNIMPLEMENTED, text=f"{name} is not laid ready")
            case Answer() as answer:
                return answer
            case Message() as reply:
                return Answer(message=reply.SerializeToString())
            case reply:
                return Answer(message=reply(request).SerializeToString())
