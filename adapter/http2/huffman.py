"""Whether bytes are Huffman's code for headers (RFC 7541, section 5.2 and appendix B), without decoding them.

A field that goes on as it came must be sound: a runtime that cannot read it would end the connection that all
calls share. The code is followed a byte at a time, from one inner node of its tree to another.
"""

import re
from collections.abc import Sequence
from typing import Final

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_END_OF_STRING: Final = 256
_ROOT: Final = 0
_BROKEN: Final = -1


def is_huffman(text: bytes) -> bool:
    """Whether this is the code of a string, with less than a byte of padding, all of it ones."""
    steps, node = _STEPS, _ROOT
    for byte in text:
        node = steps[node][byte]
        if node < 0:
            return False
    return node in _ENDS


def may_hold_control(code: bytes) -> bool:
    """Whether there might be a NUL, a CR or a LF in it: each has at least ten ones on end."""
    return _TEN_ONES(code) is not None


def _ten_ones() -> bytes:
    """A pattern for them; where they lie in two bytes, some end the first and the others begin the second."""
    patterns = [b"\xff"]
    for count in range(3, 8):
        ends = bytes(byte for byte in range(256) if byte % (1 << count) == (1 << count) - 1)
        begins = bytes(byte for byte in range(256) if byte >> count - 2 == (1 << 10 - count) - 1)
        patterns.append(b"[" + re.escape(ends) + b"][" + re.escape(begins) + b"]")
    return b"|".join(patterns)


_TEN_ONES = re.compile(_ten_ones(), re.DOTALL).search


def _tree() -> list[list[int]]:
    """The inner nodes, each with what follows on a 0 and on a 1: a node, or `_ROOT` after a symbol."""
    nodes = [[_BROKEN, _BROKEN]]
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)):
        node = _ROOT
        for shift in range(length - 1, 0, -1):
            bit = code >> shift & 1
            if nodes[node][bit] == _BROKEN:
                nodes.append([_BROKEN, _BROKEN])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        # The end of the string has a code, which may only be begun (as padding).
        nodes[node][code & 1] = _BROKEN if symbol == _END_OF_STRING else _ROOT
    return nodes


def _after(nodes: Sequence[Sequence[int]], bits: int) -> list[list[int]]:
    """From each node, where so many bits of each value lead."""
    table = []
    for start in range(len(nodes)):
        row = []
        for value in range(1 << bits):
            node = start
            for shift in range(bits - 1, -1, -1):
                node = nodes[node][value >> shift & 1]
                if node == _BROKEN:
                    break
            row.append(node)
        table.append(row)
    return table


def _by_byte(halves: Sequence[Sequence[int]]) -> list[list[int]]:
    """From each node, where each byte leads, composed of two halves."""
    broken = [_BROKEN] * 16
    steps = []
    for row in halves:
        ends: list[int] = []
        for middle in row:
            ends += broken if middle == _BROKEN else halves[middle]
        steps.append(ends)
    return steps


def _padding_ends(nodes: Sequence[Sequence[int]]) -> frozenset[int]:
    """Where a string may end: at the root, or after up to 7 ones."""
    ends, node = [_ROOT], _ROOT
    for _ in range(7):
        node = nodes[node][1]
        ends.append(node)
    return frozenset(ends)


_NODES = _tree()
_STEPS = _by_byte(_after(_NODES, 4))
_ENDS = _padding_ends(_NODES)
