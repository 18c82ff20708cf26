"""What becomes of an inference call: whose it is, which instance answers it, and what is sent there.

The relay asks (`http2.verdicts.Router`); nothing here parses a tensor. A call whose model is loaded, here or
somewhere else, is routed without waiting; any other is resolved by a task of its own.
"""

import logging

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.http2.call import Call
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, Plan, Target
from adapter.instance.aliases import Aliases, Named
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.naming import Naming, Reading
from adapter.instance.observers import Observers
from adapter.instance.plans import Plans
from adapter.instance.resolving import Resolving, exclude, excluded_of
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.sending import Sending
from adapter.instance.several import Several
from adapter.instance.shadows import Shadows
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.verdicts import ForwardTo, ServeHere
from adapter.wire.dataplane import DataplaneConfig
from adapter.wire.headers import is_balanced
from adapter.wire.splice import Located

log = logging.getLogger(__name__)


class RequestPath:
    """The `Router` of one instance."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        naming: Naming,
        plans: Plans,
        resolving: Resolving,
        sending: Sending,
        models: Models,
        aliases: Aliases,
        loader: Loader,
        ways: Wayfinder,
        watch: RuntimeWatch,
        observers: Observers,
        several: Several,
        shadows: Shadows,
    ) -> None:
        self.shadows = shadows
        self._naming = naming
        self._plans = plans
        self._resolving = resolving
        self._sending = sending
        self._models = models
        self._aliases = aliases
        self._loader = loader
        self._ways = ways
        self._view = ways.state.view
        self._watch = watch
        self._observers = observers
        self._several = several

    def join(self, runtime: Upstream) -> None:
        """Where the runtime answers inference."""
        self._sending.targets.runtime = runtime

    def use(self, dataplane: DataplaneConfig) -> None:
        """From now on the data plane is configured so; calls that have begun are not touched."""
        self._plans.use(dataplane)

    # The router.

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        """How this call is treated. Raises `MethodNotPermitted`, or `CallerNotAllowed`."""
        return self._plans.plan(head, caller)

    def route(self, call: Call) -> Target | None:
        """Where the call goes, if its model is loaded somewhere. Raises `InvalidRequest`."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._naming.named(call, reading)
        if len(refs) != 1 or call.excluded:
            return None
        named = self._aliases.at_hand(refs[0])
        if named is None:
            return None
        copies = len(self._view.copies(named[0]))
        if copies > 1 and not reading.forwarded:
            return self._among_copies(call, reading, named, found)
        if self._watch.is_there and self._sending.pin(named[0]):
            return self._sending.here(call, reading, named, found)
        if copies and not reading.forwarded:
            return self._among_copies(call, reading, named, found)
        return None

    async def resolve(self, call: Call) -> Target | Answer:
        """Have the model loaded, however long it takes. Raises the error of the load."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._naming.named(call, reading)
        if len(refs) > 1:
            return await self._several.answer(call, refs)
        return await self._resolving.resolve(call, reading, refs[0], found)

    def released(self, target: Target) -> None:
        """The model of this try may be unloaded, as far as this call is concerned."""
        self._sending.released(target)

    def copy_lost(self, target: Target) -> None:
        """The runtime says that it does not hold the model of this try."""
        self._loader.copy_lost(ModelId(target.model))

    def peer_refused(self, call: Call, target: Target, word: str, text: str) -> None:
        """Another instance will not answer this call."""
        log.debug("a forwarded call was refused", extra={"model": target.model, "word": word, "text": text})
        self._exclude(call, target, text or word)

    def peer_lost(self, call: Call, target: Target, reason: str) -> None:
        """The connection to the other instance broke."""
        self._exclude(call, target, reason)

    def answered(self, call: Call, code: Code) -> None:
        """The call has ended."""
        if call.plan.door is not None:
            return
        self._observers.ended(call, code)
        target = call.last_target
        if target is not None and target.vmodel and code is Code.OK:
            shadow = self._aliases.shadow_of(target.vmodel)
            if shadow:
                self.shadows.cast(call, shadow)

    def _among_copies(
        self, call: Call, reading: Reading, named: Named, found: Located | None
    ) -> Target | None:
        """The best of the copies that can answer at once; None: that must be found out."""
        record = self._models.at_hand(named[0])
        balanced = bool(call.head.ids) and is_balanced(call.head.ids)
        verdict = self._ways.route(named[0], record, excluded=excluded_of(call), balanced=balanced)
        if isinstance(verdict, ServeHere) and self._watch.is_there and self._sending.pin(named[0]):
            return self._sending.here(call, reading, named, found)
        if isinstance(verdict, ForwardTo):
            return self._sending.there(call, verdict.instance, named)
        return None

    def _exclude(self, call: Call, target: Target, reason: str) -> None:
        instance = self._ways.links.instance_of(target.upstream)
        if instance is not None:
            exclude(call, instance, reason)
