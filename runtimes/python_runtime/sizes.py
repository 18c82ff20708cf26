"""How much memory a loaded model holds.

Python objects are walked, from the model down: each distinct object counts what `sys.getsizeof` says of it,
and what models share (types, modules, functions, the names of attributes, numpy datatypes) counts nothing. An
extension type that cannot be walked (a tree of scikit-learn) counts what it would give to a pickle. The walk
does not depend on what other threads do meanwhile, and takes some 20 us for a small model.

Libraries that keep a model outside of Python are measured by what `malloc` has given out between the
beginning and the end of the load; loads are one after the other. Requests that run meanwhile blur that
figure, so it is held within bounds that the file's size suggests.

`python -m bench.density` compares both with the growth of the process; `README.md` has the figures.
"""

import gc
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from runtimes.python_runtime.signature import Array, Signature

RECORD_BYTES = 600
"""What the repository keeps of each model itself: name, record, an entry in two tables."""

NATIVE_BYTES_MAX = 1024**2
FILE_FACTOR_MAX = 64
"""A native model holds at most so much, and so many times its file's size; the rest was somebody else's."""

NAMES_MAX = 64
"""A dictionary up to this size is taken for attributes, whose names are shared."""

_SHARED_KINDS = frozenset(
    {bool, type(None), ModuleType, FunctionType, BuiltinFunctionType, MethodType, Signature}
)
_SHARED = (type, np.dtype)
_LEAVES = frozenset({str, bytes, int, float, complex})

_COUNTED_OWNERS = (np.ndarray, bytes, bytearray)
"""Owners of an array's memory whose `sys.getsizeof` counts it."""


def held_bytes(root: object) -> int:
    """What an object holds, with all that it alone leads to."""
    seen: dict[int, object] = {}  # with the objects: the id of one that is freed is soon another's
    waiting: list[Any] = [root]
    total = 0
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind in _SHARED_KINDS or id(item) in seen or isinstance(item, _SHARED):
            continue
        seen[id(item)] = item
        total += sys.getsizeof(item)
        if kind is np.ndarray:
            total += _foreign_bytes(item)
        if kind not in _LEAVES:
            waiting.extend(_led_to(item))
    return total


def _led_to(item: Any) -> list[Any]:
    if isinstance(item, np.ndarray):
        elements = item.ravel().tolist() if item.dtype.kind == "O" else []
        return [*elements, item.base] if isinstance(item.base, _COUNTED_OWNERS) else elements
    if isinstance(item, dict):
        return list(item.values()) if len(item) <= NAMES_MAX else [*item.keys(), *item.values()]
    referents = gc.get_referents(item)
    if not hasattr(item, "__dict__") and "__getstate__" in vars(type(item)):
        referents.extend(_pickled_state(item))
    return referents


def _foreign_bytes(array: Array) -> int:
    """The data of an array that belong to somebody who does not count them (a tree of scikit-learn)."""
    return 0 if array.base is None or isinstance(array.base, _COUNTED_OWNERS) else array.nbytes


def _pickled_state(item: Any) -> list[Any]:
    try:
        return [item.__getstate__()]
    except Exception:  # noqa: BLE001  it is only a size
        return []


def native_bytes(*, grown_bytes: int | None, file_bytes: int) -> int:
    """What a library holds outside of Python; `grown_bytes` None: the C library could not tell."""
    ceiling = NATIVE_BYTES_MAX + FILE_FACTOR_MAX * file_bytes
    return file_bytes if grown_bytes is None else min(max(grown_bytes, file_bytes), ceiling)
