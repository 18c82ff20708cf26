"""What is told about calls: metrics, payload processors, and log lines. None of it may slow a call down."""

import logging
from itertools import count
from typing import Final

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.http2.call import Call
from adapter.http2.verdicts import Target
from adapter.servers.payload_messages import Payload
from adapter.servers.payload_processors import PayloadProcessors
from adapter.telemetry.request_log import RequestLogHeaders
from adapter.telemetry.request_metrics import RequestMetrics
from adapter.wire.grpc_messages import PREFIX_BYTES

log = logging.getLogger(__name__)

_NAMES: Final = {code: code.name for code in Code}
"""Looking a member's name up costs more than the rest of counting it."""


class Observers:
    """All who want to know about calls."""

    def __init__(
        self,
        *,
        metrics: RequestMetrics,
        payloads: PayloadProcessors,
        log_headers: RequestLogHeaders,
        log_each: bool,
    ) -> None:
        self._metrics = metrics
        self._payloads = payloads or None
        self._log_headers = log_headers
        self.log_each = log_each
        """Each inference has a line in the log; may be changed."""
        self._ids = count(1)

    def begins(self, call: Call, target: Target) -> None:
        """The call is about to go to the runtime."""
        if self.log_each:
            fields = self._log_headers.fields(call.head.metadata()) if self._log_headers else {}
            log.info(
                "invoking model runtime",
                extra={**fields, "method": call.head.rpc, "model": target.model},
            )
        if self._payloads is not None and self._payloads.wants(target.model, target.vmodel, call.head.rpc):
            call.spy()

    def slot_waited(self, model: ModelId, waited_s: float) -> None:
        """A call waited so long for its turn at the copy here."""
        self._metrics.slot_waited(waited_s * 1e3, model)

    def missed(self, model: ModelId, waited_s: float) -> None:
        """A call waited so long for its model."""
        self._metrics.cache_miss(waited_s * 1e3, model)

    def ended(self, call: Call, code: Code) -> None:
        """The call has ended, with or without having reached the runtime."""
        target = call.last_target
        metrics, name, now_s = self._metrics, _NAMES[code], call.ended_s
        if target is None:
            if call.is_answered_here:
                took_ms = (now_s - call.began_s) * 1e3
                answered = call.response_bytes if code is Code.OK else None
                metrics.api_request(call.head.rpc, name, took_ms, call.request_bytes, answered)
            # Of all others nobody knows whether there is such a model, and clients choose names.
            return
        rpc, model, vmodel = call.head.rpc, target.model, target.vmodel
        metrics.invoked(rpc, name, (now_s - call.invoked_s) * 1e3, model, vmodel)
        if not call.inner:
            answered = call.response_bytes if code is Code.OK else None
            metrics.api_request(
                rpc, name, (now_s - call.began_s) * 1e3, call.request_bytes, answered, model, vmodel
            )
        if self._payloads is not None and call.spied_request is not None:
            self._offer(self._payloads, call, target, name)

    def _offer(self, payloads: PayloadProcessors, call: Call, target: Target, status: str) -> None:
        number = str(next(self._ids))
        metadata = call.head.metadata()
        payloads.offer(
            Payload(
                id=number,
                model_id=target.model,
                vmodel_id=target.vmodel,
                method=call.head.rpc,
                kind="request",
                metadata=metadata,
                data=b"".join(call.spied_request or ())[PREFIX_BYTES:],
            )
        )
        payloads.offer(
            Payload(
                id=number,
                model_id=target.model,
                vmodel_id=target.vmodel,
                method=call.head.rpc,
                kind="response",
                status=status,
                data=b"".join(call.spied_response or ())[PREFIX_BYTES:],
            )
        )
