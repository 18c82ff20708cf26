"""Keep the webhooks: their certificate, the API server's word of them, and the door that answers.

Nothing that goes wrong with them stops the controller: it is in the log, and tried again.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Cluster
from adapter.controller.webhooks.certificates import Certificate, webhook_certificate
from adapter.controller.webhooks.configuration import Reach, hosts, mutating, validating
from adapter.controller.webhooks.decide import Facts, decisions
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import MUTATING_WEBHOOK, VALIDATING_WEBHOOK
from adapter.servers.admission import admission_serving
from adapter.servers.self_signed import Presented

log = logging.getLogger(__name__)

CHECK_S: Final = 3600.0
"""How often the certificate is looked at; a renewed one is trusted beside the old one for months."""
RETRY_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Where the webhooks are, and for whom."""

    namespace: str
    """The controller's."""
    url: str = ""
    """How the API server reaches them, if not by their Service."""
    namespace_scope: bool = False
    """Only the controller's own namespace is looked after."""


async def serve_webhooks(
    cluster: Cluster,
    listener: socket.socket,
    facts: Callable[[], Facts],
    *,
    options: WebhookOptions,
    clock: Clock,
) -> None:
    """Serve on a socket that listens already, until cancelled; every controller does, not only the leader."""
    webhooks = _Webhooks(cluster, options, clock)
    async with AsyncExitStack() as door:
        door.callback(listener.close)
        while True:
            pause_s = CHECK_S
            try:
                certificate = await webhooks.certificate()
                if webhooks.presented is None:
                    tls = webhooks.present(certificate)
                    serving = admission_serving(decisions(facts), listener, tls=tls.context)
                    await door.enter_async_context(serving)
                # Whoever vouches for a new certificate is trusted before it is shown.
                await webhooks.announce(certificate)
                webhooks.present(certificate)
                webhooks.complaint = ""
            except AdapterError as error:
                pause_s = RETRY_S
                webhooks.complain(str(error))
            await clock.sleep(pause_s)


class _Webhooks:
    """What is known of them."""

    def __init__(self, cluster: Cluster, options: WebhookOptions, clock: Clock) -> None:
        self._cluster = cluster
        self._options = options
        self._clock = clock
        self.presented: Presented | None = None
        self.complaint = ""

    def complain(self, text: str) -> None:
        """Say so in the log, unless it was the last thing that was said."""
        if text != self.complaint:
            log.warning("webhooks are not as they should be", extra={"error": text})
        self.complaint = text

    async def certificate(self) -> Certificate:
        """The one to serve with."""
        return await webhook_certificate(
            self._cluster,
            namespace=self._options.namespace,
            hosts=hosts(self._options.namespace, self._options.url),
            now_s=self._clock.epoch_ms() / 1e3,
        )

    def present(self, certificate: Certificate) -> Presented:
        """Show this one from now on."""
        if self.presented is None:
            self.presented = Presented(certificate.certificate, certificate.key)
        else:
            self.presented.replace(certificate.certificate, certificate.key)
        return self.presented

    async def announce(self, certificate: Certificate) -> None:
        """Tell the API server of the webhooks."""
        reach = Reach(
            namespace=self._options.namespace,
            authorities=certificate.authorities,
            url=self._options.url,
            namespace_scope=self._options.namespace_scope,
        )
        await self._cluster.apply(validating(reach), VALIDATING_WEBHOOK)
        await self._cluster.apply(mutating(reach), MUTATING_WEBHOOK)
