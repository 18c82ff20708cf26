"""The ways to the other instances: where the relay forwards calls, and where they are asked for deeds.

A link is made for each instance that has a record, and goes with it. An instance that does not answer keeps
its record until its lease ends; until then calls and copies avoid it.
"""

import logging
from collections.abc import Mapping
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Target
from adapter.instance.mesh_state import MeshState
from adapter.peers.channels import PeerChannels
from adapter.servers.relay_server import RelayServer
from adapter.servers.tls import TlsFiles

log = logging.getLogger(__name__)

SILENT: Final = "it does not answer"
_NOBODY: Final[Mapping[InstanceId, str]] = {}


class PeerLinks:
    """One link for each other instance."""

    def __init__(self, *, state: MeshState, channels: PeerChannels) -> None:
        self.channels = channels
        self.pending: dict[InstanceId, int] = {}
        """Models that calls of ours are having loaded somewhere else."""
        self._state = state
        self._relay: RelayServer | None = None
        self._tls: TlsFiles | None = None
        self._own: Upstream | None = None
        self._links: dict[InstanceId, tuple[str, Upstream]] = {}
        self._by_upstream: dict[Upstream, InstanceId] = {}
        self._loading: dict[ModelId, tuple[InstanceId, int]] = {}
        """Where they are loaded, and for how many calls."""
        self._loads_sent: dict[Target, tuple[ModelId, InstanceId]] = {}

    def join(self, relay: RelayServer, *, own: Upstream, tls: TlsFiles | None) -> None:
        """From now on calls can be forwarded; `own` is where this instance's runtime answers."""
        self._relay, self._own, self._tls = relay, own, tls
        self._state.on_instances.append(self.renew)
        self.renew()

    def renew(self) -> None:
        """Instances have come, gone or moved."""
        relay, here = self._relay, self._state.here
        assert relay is not None
        instances = self._state.view.instances
        for id_ in [id_ for id_ in self._links if id_ not in instances]:
            self._drop(id_)
        for id_, instance in instances.items():
            address = instance.record.address
            known = self._links.get(id_)
            if id_ == here or not address or (known is not None and known[0] == address):
                continue
            if known is not None:
                self._drop(id_)
            upstream = relay.peer(address, tls=self._tls, name=f"instance {id_}")
            self._links[id_] = (address, upstream)
            self._by_upstream[upstream] = id_
            log.info("another instance is there", extra={"peer": id_, "address": address})
        self.channels.keep({id_: address for id_, (address, _) in self._links.items()})

    def upstream(self, instance: InstanceId) -> Upstream | None:
        """Where calls to this instance go; None: it has left."""
        link = self._links.get(instance)
        return None if link is None else link[1]

    def instance_of(self, upstream: Upstream) -> InstanceId | None:
        """Whose way this is; None: that instance has left."""
        return self._by_upstream.get(upstream)

    def in_flight(self, instance: InstanceId) -> int:
        """How many calls of ours this instance answers now; of our own, how many our runtime does."""
        upstream = self._own if instance == self._state.here else self.upstream(instance)
        return 0 if upstream is None else upstream.in_flight

    def silent(self) -> Mapping[InstanceId, str]:
        """Those that do not answer."""
        down = {id_: SILENT for id_, (_, upstream) in self._links.items() if upstream.is_down}
        return down or _NOBODY

    def sent_to(self, model: ModelId) -> InstanceId | None:
        """Where calls of ours are having this model loaded; further ones go there too."""
        loading = self._loading.get(model)
        return None if loading is None else loading[0]

    def load_sent(self, target: Target, instance: InstanceId) -> None:
        """This call is to have its model loaded there."""
        model = ModelId(target.model)
        self._loads_sent[target] = model, instance
        known, calls = self._loading.get(model, (instance, 0))
        if known != instance:
            self._count(known, -1)
            calls = 0
        if not calls:
            self._count(instance, 1)
        self._loading[model] = (instance, calls + 1)

    def released(self, target: Target) -> None:
        """The try has ended."""
        sent = self._loads_sent.pop(target, None)
        if sent is None:
            return
        model, instance = sent
        known, calls = self._loading.get(model, (instance, 0))
        if known != instance or not calls:
            return  # the model has been sent somewhere else meanwhile, and is counted there
        if calls > 1:
            self._loading[model] = (instance, calls - 1)
        else:
            del self._loading[model]
            self._count(instance, -1)

    def _count(self, instance: InstanceId, change: int) -> None:
        models = self.pending.get(instance, 0) + change
        if models:
            self.pending[instance] = models
        else:
            del self.pending[instance]

    def _drop(self, instance: InstanceId) -> None:
        assert self._relay is not None
        _, upstream = self._links.pop(instance)
        del self._by_upstream[upstream]
        self._relay.drop(upstream)
