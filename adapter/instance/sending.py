"""The tries of calls: each pins its model here, or goes to another instance, and is counted until it ends."""

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.http2.call import Call
from adapter.http2.verdicts import Target
from adapter.instance.aliases import Aliases, Named
from adapter.instance.in_flight import InFlight
from adapter.instance.loader import Loader
from adapter.instance.naming import Reading
from adapter.instance.observers import Observers
from adapter.instance.peer_links import PeerLinks
from adapter.instance.slots import Slots
from adapter.instance.targets import Targets
from adapter.mesh.rates import Rates
from adapter.wire.splice import Located


class Sending:
    """Begins and ends tries."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        cache: ModelCache,
        loader: Loader,
        aliases: Aliases,
        targets: Targets,
        links: PeerLinks,
        rates: Rates,
        observers: Observers,
        clock: Clock,
        inflight_max: int = 0,
    ) -> None:
        self.targets = targets
        self._cache = cache
        self._loader = loader
        self._aliases = aliases
        self._links = links
        self._rates = rates
        self._observers = observers
        self._clock = clock
        self._in_flight: dict[ModelId, int] = {}
        self.slots = Slots(self._in_flight, inflight_max=inflight_max)

    @property
    def in_flight(self) -> InFlight:
        """The calls that are answered here now."""
        return self._in_flight

    def pin(self, model: ModelId) -> bool:
        """Use the model if it is loaded here, and has a turn free: it stays until the try has ended."""
        return not self.slots.is_full(model) and self._cache.acquire(model, self._clock.now_s())

    def here(self, call: Call, reading: Reading, named: Named, found: Located | None) -> Target:
        """What the runtime is sent; the model is pinned already. Raises `AdapterError`, and unpins it."""
        model, vmodel = named
        try:
            target = self.targets.here(call, reading, model, vmodel, found)
        except AdapterError:
            self._unpin(model)
            raise
        if reading.forwarded:
            call.inner = True
        elif vmodel:
            self._spy(call, vmodel)
        self._rates.count(model)
        self._in_flight[model] = self._in_flight.get(model, 0) + 1
        self._observers.begins(call, target)
        return target

    def there(
        self, call: Call, instance: InstanceId, named: Named, *, to_load: ModelRecord | None = None
    ) -> Target | None:
        """What another instance is sent, with `to_load` to load the model first; None: it has just left."""
        model, vmodel = named
        if vmodel:
            self._spy(call, vmodel)
        return self.targets.there(instance, model, vmodel, to_load=to_load)

    def released(self, target: Target) -> None:
        """The try has ended: the model may be unloaded, as far as this call is concerned."""
        if target.to_peer:
            self._links.released(target)
        elif target.model:
            model = ModelId(target.model)
            left = self._in_flight[model] - 1
            if left:
                self._in_flight[model] = left
            else:
                del self._in_flight[model]
            self._unpin(model)
            self.slots.freed(model)

    def _unpin(self, model: ModelId) -> None:
        self._loader.carry_out(self._cache.release(model, self._clock.now_s()))

    def _spy(self, call: Call, vmodel: str) -> None:
        """Keep what the call says, if a shadow is to be told the same."""
        if self._aliases.shadow_of(vmodel):
            call.spy()
