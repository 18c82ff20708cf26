"""Keeping memory small, and giving it back.

- glibc makes one arena for each few threads, and a freed model's memory stays in the arena it came from. Two
  arenas are enough here, and fixed thresholds let what is large go back to the system at once.
- The cyclic garbage collector would visit the objects of every loaded model over and over. They are frozen
  after each load: a model that is dropped is freed by its reference counts. Cycles among them are found by a
  full collection, which comes with `malloc_trim` after enough unloads to be worth its time.
"""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

ARENAS_MAX = 2
MMAP_BYTES = 128 * 1024
TRIM_BYTES = 256 * 1024

SWEEP_UNLOADS_MIN = 64
SWEEP_PART = 4
"""A sweep comes after so many unloads, or after a quarter as many as there are models, whichever is more."""
SWEEP_BYTES = 64 * 1024**2
"""Or when the unloaded models held so much together."""


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _c_library() -> ctypes.CDLL | None:
    """The C library if it is a glibc that can tell what is allocated, else None."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2") or not hasattr(library, "malloc_trim"):
        return None
    library.mallinfo2.restype = _MallInfo
    return library


_C = _c_library()


def set_up() -> None:
    """To be called before the first thread is started."""
    if _C is not None:
        _C.mallopt(_M_ARENA_MAX, ARENAS_MAX)
        _C.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)
        _C.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def allocated_bytes() -> int | None:
    """What all of the process has allocated by `malloc` and not freed; None if the C library cannot tell."""
    if _C is None:
        return None
    info = _C.mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


class Sweeper:
    """When to look for cycles and to give memory back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads = 0
        self._unloads = 0
        self._bytes = 0

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Around a load: no collection in between, and what is there afterwards is never visited again."""
        with self._lock:
            self._loads += 1
            gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            with self._lock:
                self._loads -= 1
                if not self._loads:
                    gc.enable()

    def unloaded(self, *, size_bytes: int, models_left: int) -> None:
        """After a model was dropped."""
        with self._lock:
            self._unloads += 1
            self._bytes += size_bytes
            enough = self._unloads >= max(SWEEP_UNLOADS_MIN, models_left // SWEEP_PART)
            if not enough and self._bytes < SWEEP_BYTES and models_left:
                return
            self._unloads = self._bytes = 0
        self.sweep()

    def sweep(self) -> None:
        """Collect everything, and give free memory back to the system."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        if _C is not None:
            _C.malloc_trim(0)
