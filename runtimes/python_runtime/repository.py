"""The models that are loaded: load, unload, index.

A load and an unload of one name never overlap. Loads of models that are measured by what the process
allocates are one after the other; the others do not wait for each other. Reads need no lock. At the start
nothing is loaded.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from runtimes.python_runtime.admission import Admission, Caller, KeyedLocks
from runtimes.python_runtime.allocator import Sweeper, allocated_bytes
from runtimes.python_runtime.batching import Batcher
from runtimes.python_runtime.errors import (
    Corrupt,
    FilesMissing,
    ModelFailed,
    NotLoaded,
    OutOfTime,
    RuntimeFault,
    TooBusy,
    Unsupported,
)
from runtimes.python_runtime.finding import explained, find_model
from runtimes.python_runtime.flavours.model import Model, ModelSource
from runtimes.python_runtime.flavours.table import Flavour
from runtimes.python_runtime.sizes import RECORD_BYTES, held_bytes, native_bytes

log = logging.getLogger(__name__)

LOADS_MAX = 32
"""Loads at once, running and waiting, each in a thread of the pool."""

LOAD_WAIT_S_MAX = 600.0
"""How long a load waits for its turn."""

UNLOAD_PATIENCE_S = 30.0
"""How long an unload waits for requests that the model is still answering."""


class Loaded:
    """A model and what is remembered of it. There are tens of thousands: no field without need."""

    __slots__ = ("batcher", "flavour", "model", "name", "size_bytes", "version")

    def __init__(self, *, source: ModelSource, flavour: Flavour, model: Model, size_bytes: int) -> None:
        settings = source.settings
        self.name = source.name
        self.version = settings.version
        self.flavour = flavour
        self.model = model
        self.size_bytes = size_bytes
        self.batcher: Batcher | None = None
        if settings.batches:
            self.batcher = Batcher(
                model.run, requests_max=settings.max_batch_size, wait_s_max=settings.max_batch_time_s
            )


class Repository:
    """All models of this process."""

    def __init__(self, models_dir: str, *, admission: Admission) -> None:
        self._models_dir = os.path.abspath(models_dir)
        self._admission = admission
        self._models: dict[str, Loaded] = {}
        self._names = KeyedLocks()
        self._measuring = threading.Lock()
        self._load_places = threading.BoundedSemaphore(LOADS_MAX)
        self._sweeper = Sweeper()
        self._measured: set[str] = set()

    def __len__(self) -> int:
        return len(self._models)

    def get(self, name: str) -> Loaded | None:
        return self._models.get(name)

    def is_loaded(self, name: str, version: str = "") -> bool:
        """Whether `require` would give it."""
        loaded = self._models.get(name)
        return loaded is not None and (not version or not loaded.version or version == loaded.version)

    def require(self, name: str, version: str = "") -> Loaded:
        """The loaded model; raises `NotLoaded`. A model without a version of its own has every version."""
        loaded = self._models.get(name)
        if loaded is None:
            raise NotLoaded(f"Model {name} is not loaded")
        if version and loaded.version and version != loaded.version:
            raise NotLoaded(f"Model {name} is loaded in version {loaded.version}, not {version}")
        return loaded

    def loaded(self) -> list[Loaded]:
        """All loaded models, in the order of their loading."""
        return list(self._models.values())

    def not_loaded(self) -> list[str]:
        """The folders that could be loaded and are not, sorted."""
        try:
            with os.scandir(self._models_dir) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name not in self._models and not name.startswith("."))

    def load(self, name: str, caller: Caller) -> Loaded:
        """Load the folder of this name, or load it again; returns when it can be asked.

        A model that was loaded before answers until the new one does, and goes on if the new one fails.
        Raises the `RuntimeFault`s that say what is wrong with the files.
        """
        with self._load_place(name), self._names.of(name), self._sweeper.loading():
            started_s = time.monotonic()
            loaded = self._load(name, caller)
            before = self._models.get(name)
            self._models[name] = loaded
        if before is not None:
            self._sweeper.unloaded(size_bytes=before.size_bytes, models_left=len(self._models))
        log.debug(
            "model loaded model=%s bytes=%d s=%.4f", name, loaded.size_bytes, time.monotonic() - started_s
        )
        return loaded

    def unload(self, name: str) -> None:
        """Forget the model; returns when nobody is asking it any more. Raises `NotLoaded`."""
        with self._names.of(name):
            loaded = self._models.pop(name, None)
        if loaded is None:
            raise NotLoaded(f"Model {name} is not loaded")
        size_bytes = loaded.size_bytes
        del loaded
        if not self._admission.wait_until_idle(name, patience_s=UNLOAD_PATIENCE_S):
            log.warning("an unloaded model is still answering requests model=%s", name)
        self._sweeper.unloaded(size_bytes=size_bytes, models_left=len(self._models))
        log.debug("model unloaded model=%s", name)

    @contextmanager
    def _load_place(self, name: str) -> Iterator[None]:
        if not self._load_places.acquire(blocking=False):
            raise TooBusy(f"{LOADS_MAX} loads are under way already; load {name} later")
        try:
            yield
        finally:
            self._load_places.release()

    def _load(self, name: str, caller: Caller) -> Loaded:
        flavour, source = find_model(self._models_dir, name)
        flavour.import_library()  # before measuring: the first model does not pay for its library
        if flavour.native:
            with self._turn_to_measure(name, caller):
                model, size_bytes = self._load_native(flavour, source)
        else:
            model = _translated(flavour, source)
            size_bytes = held_bytes(model)
        return Loaded(source=source, flavour=flavour, model=model, size_bytes=size_bytes + RECORD_BYTES)

    @contextmanager
    def _turn_to_measure(self, name: str, caller: Caller) -> Iterator[None]:
        left_s = caller.time_remaining()
        wait_s = LOAD_WAIT_S_MAX if left_s is None else min(left_s, LOAD_WAIT_S_MAX)
        if not self._measuring.acquire(timeout=wait_s):
            raise OutOfTime(f"the caller's time ran out before it was the turn of {name} to be loaded")
        try:
            yield
        finally:
            self._measuring.release()

    def _load_native(self, flavour: Flavour, source: ModelSource) -> tuple[Model, int]:
        if flavour.name not in self._measured:
            _translated(flavour, source)  # and dropped: what the library sets up once is not the model's
            self._measured.add(flavour.name)
        before = allocated_bytes()
        model = _translated(flavour, source)
        after = allocated_bytes()
        grown = None if before is None or after is None else after - before
        file_bytes = os.stat(source.path).st_size
        return model, native_bytes(grown_bytes=grown, file_bytes=file_bytes)


def _translated(flavour: Flavour, source: ModelSource) -> Model:
    """Load, with every error as one of ours."""
    try:
        return flavour.load(source)
    except (Corrupt, Unsupported) as fault:
        other = explained(flavour, source.path)
        raise (Unsupported(other) if other else fault) from fault
    except RuntimeFault:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FilesMissing(f"{source.path} cannot be opened: {error.strerror}") from error
    except MemoryError as error:
        raise TooBusy(f"there is not enough memory to load {source.path}") from error
    except Exception as error:
        raise ModelFailed(f"loading {source.path} failed: {type(error).__name__}: {error}") from error
