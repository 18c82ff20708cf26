"""Which model ended the runtime, and when it is put into quarantine in the whole mesh.

A runtime that ends while it loads a model is taken to have ended because of it, and likewise while it
answered calls for one model alone. A second time anywhere in the mesh is enough: the model is not loaded
again until its failure expires, or it is registered anew. Its neighbours in the runtime are loaded again at
once.
"""

import logging
from collections.abc import Callable
from typing import Final

from adapter.cache.entry import EntryState
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError, RuntimeCrashed
from adapter.domain.ids import ModelId
from adapter.instance.announcer import Announcer
from adapter.instance.in_flight import InFlight
from adapter.instance.loader import Loader
from adapter.instance.wayfinder import Wayfinder

log = logging.getLogger(__name__)

CRASHES_MAX: Final = 2
"""So many put a model into quarantine."""


class Crashes:
    """Counts them."""

    def __init__(
        self,
        *,
        announcer: Announcer,
        cache: ModelCache,
        loader: Loader,
        ways: Wayfinder,
        breaks: Callable[[], bool],
    ) -> None:
        """`breaks`: the runtime's connection has ended, and `runtime_gone` is about to be told so."""
        self._announcer = announcer
        self._cache = cache
        self._loader = loader
        self._ways = ways
        self.in_flight: InFlight = {}
        """Set by the program: what the runtime answers now."""
        self._breaks = breaks
        self._loading: frozenset[ModelId] = frozenset()
        self._known = False
        """Its end was seen by a load before `runtime_gone` was told of it."""

    def runtime_gone(self) -> None:
        """The runtime's connection has just ended: look who was at it."""
        loading = [model for model in self._cache if self._cache.state(model) is EntryState.LOADING]
        self._loading = frozenset(loading)
        answering = list(self.in_flight)
        if not loading and not self._known and len(answering) == 1:
            self._count(answering[0], "answered")
        self._known = False

    def load_broken_off(self, model: ModelId) -> AdapterError | None:
        """A load ended because the runtime did not answer any more; the error if that was once too often."""
        if self._breaks():
            self._known = True
        elif model not in self._loading:
            return None
        self._loading -= {model}
        self._count(model, "loaded")
        here, copies = self._ways.state.here, self._ways.copies(model)
        elsewhere = sum(copy.crashes for id_, copy in copies.items() if id_ != here)
        crashes = self._announcer.crashes(model) + elsewhere
        if crashes < CRASHES_MAX:
            return None
        return RuntimeCrashed(
            f"{model} is quarantined: the runtime ended {crashes} times while it loaded or answered this "
            "model; mend the model and register it again"
        )

    def _count(self, model: ModelId, deed: str) -> None:
        log.warning("the runtime ended at a model", extra={"model": model, "while": deed})
        self._announcer.crashed(model)
