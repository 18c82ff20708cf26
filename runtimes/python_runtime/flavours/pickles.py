"""Reading pickles and joblib files, fast.

joblib's own reader is a pickle machine written in Python, because the bytes of each numpy array stand
between the opcodes, right behind a small object that describes them. C's pickle machine can do the same
work in a fifth of the time. It reads its input exactly up to the end of such a description; so the
description, while it is built, can take the array's bytes off the input. What remains is to put the array
in its place, and for that one opcode is handed to the machine between the bytes that stand in the file:
`BINPERSID`, which replaces the object on the stack by what `persistent_load` makes of it. Compressed files,
and arrays that are described in a way that we do not know, are left to joblib.

A pickle is code. Whoever can write a model can run code here; models are as trusted as the image.
"""

import io
import math
import pickle
import threading
from typing import Any

import numpy as np

from runtimes.python_runtime.errors import Corrupt, Unsupported
from runtimes.python_runtime.files import read_file
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.flavours.table import content_of

PICKLES = ("pickle", "compressed pickle")

SMALL_BYTES = 32 * 1024**2
"""A file from this size up is read by joblib piece by piece, so that it is not twice in memory."""

_KNOWN_FIELDS = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}


def load_pickle(source: ModelSource) -> Any:
    """The object in the file. Raises `Corrupt`, or `Unsupported` when a library that it needs is missing."""
    data = read_file(source.path, bytes_max=SMALL_BYTES)
    content = content_of(data)
    if content not in PICKLES:
        holds = f"; its first bytes are those of a model for {content}" if content else ""
        raise (Unsupported if content else Corrupt)(
            f"{source.path} is neither a pickle nor a joblib file{holds}"
        )
    try:
        if content == "pickle" and len(data) < SMALL_BYTES:
            return loads(data)
        return _by_joblib(source.path)
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"{source.path} needs the module {error.name}, which is not installed here"
        ) from error
    except AttributeError as error:
        raise Unsupported(
            f"{source.path} was written with other versions of its libraries: {error}"
        ) from error
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise Corrupt(f"{source.path} cannot be read: {type(error).__name__}: {error}") from error


def loads(data: bytes) -> Any:
    """The object in an uncompressed pickle or joblib file; raises whatever a broken one leads to."""
    file = _Input(data)
    _reading.file = file
    try:
        return _Unpickler(file).load()
    except _Unknown:
        return _by_joblib(io.BytesIO(data))
    finally:
        _reading.file = None


def _by_joblib(file: io.BytesIO | str) -> Any:
    import joblib

    return joblib.load(file)


class _Unknown(Exception):
    """An array that only joblib itself can read."""


class _Input:
    """The file, as the pickle machine reads it: exactly what it asks for, in order."""

    __slots__ = ("_data", "_inserted", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._inserted = b""

    def read(self, size: int) -> bytes:
        if self._inserted:
            inserted, self._inserted = self._inserted, b""
            return inserted
        start = self._position
        self._position = start + size
        return self._data[start : start + size]

    def readline(self) -> bytes:
        start = self._position
        self._position = (self._data.find(b"\n", start) + 1) or len(self._data)
        return self._data[start : self._position]

    def insert(self, opcode: bytes) -> None:
        """What the next `read`, which is for an opcode, gets before the file goes on."""
        self._inserted = opcode

    def take_array(self, description: dict[str, Any]) -> Any:
        """The array whose description has just been built; raises `_Unknown` or `EOFError`."""
        dtype, order = description["dtype"], description["order"]
        plain = description["subclass"] is np.ndarray and not dtype.hasobject and dtype.isnative
        if not plain or description.keys() - _KNOWN_FIELDS:
            raise _Unknown
        if description.get("numpy_array_alignment_bytes") is not None:
            self._position += 1 + self._data[self._position]
        start, count = self._position, math.prod(description["shape"])
        end = start + count * dtype.itemsize
        if end > len(self._data):
            raise EOFError(f"an array of {end - start} bytes is cut off")
        stored = np.frombuffer(self._data, dtype, count, start)
        array = stored.reshape(description["shape"], order=order).copy(order)
        self._position = end
        return array


_reading = threading.local()
"""The input of the machine that runs in this thread: what is being built is not told where it comes from."""


class _Described:
    """Stands for an array until its bytes are there; in the file it is joblib's `NumpyArrayWrapper`."""

    __slots__ = ("array",)

    def __setstate__(self, description: dict[str, Any]) -> None:
        file: _Input = _reading.file
        self.array = file.take_array(description)
        file.insert(pickle.BINPERSID)


CLASSES_MAX = 4096
_classes: dict[tuple[str, str], Any] = {}
"""What pickles have named so far: the same few classes and functions in nearly every one."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "joblib.numpy_pickle":
            if name != "NumpyArrayWrapper":
                raise _Unknown
            return _Described
        known = _classes.get((module, name))
        if known is None:
            known = super().find_class(module, name)
            if len(_classes) < CLASSES_MAX:
                _classes[module, name] = known
        return known

    def persistent_load(self, described: Any) -> Any:
        if type(described) is not _Described:
            raise pickle.UnpicklingError("it refers to objects outside of the file")
        return described.array
