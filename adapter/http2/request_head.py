"""What the header block of a request says.

Rules of form are RFC 9113's (section 8); which fields a runtime or a peer is sent, `field_kinds` says.

One client's blocks are mostly alike. A block that came before is known by its bytes. Of one that differs only
towards its end (in the timeout, in trace ids) the beginning is known, and only the rest is read.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from adapter.http2.field_kinds import PSEUDO, Kind, kind_of
from adapter.http2.frames import ErrorCode, StreamProblem
from adapter.http2.header_blocks import (
    EMPTY_TABLE,
    BlockReader,
    Field,
    FieldMemory,
    check_value,
    encode_field,
    encode_fields,
    is_plain,
    split,
    unfit,
    value_of,
)
from adapter.http2.metadata import metadata_fields, metadata_of, pairs, timeout_field, timeout_s
from adapter.wire.headers import Pair

HEADS_REMEMBERED_MAX: Final = 1024
NAMES_REMEMBERED_MAX: Final = 4096
BLOCKS_SEEN_MAX: Final = 4096
LENGTH_DIGITS_MAX: Final = 18
"""Of a content-length; longer ones are not even read."""
STEM_FIELDS_MIN: Final = 3
"""A shorter beginning is not worth remembering."""
FIELD_OVERHEAD_BYTES: Final = 32
"""What a field counts beside its name and value (RFC 9113, section 10.5.1)."""


class HeadersTooBig(Exception):
    """The fields count more bytes than the header list may have."""


_HUFFMAN: Final = 0x7F
"""The first byte of a value that is greater says that it is in Huffman's code."""

_FORWARDED: Final = int(Kind.FORWARDED)
_TIMEOUT: Final = int(Kind.TIMEOUT)
_NOT_FORWARDED: Final = int(Kind.NOT_FORWARDED)
_REQUIRED: Final = 1 | 2 | 4


class RequestHead:
    """One request's header list. Shared by all requests with the same bytes, so never changed."""

    # Most requests have few of these.
    block = b""
    """All fields, as they came."""
    method = b""
    path = b""
    rpc = ""
    """`package.Service/Method`."""
    is_grpc = False
    is_plain = False
    """The block means the same whatever table a connection has; told only of one that is remembered."""
    for_runtime = b""
    """The block without what names the model, and without the timeout."""
    timeout = b""
    """The field `grpc-timeout`, as it came."""
    timeout_s: float | None = None
    encoding = b""
    """`grpc-encoding`, empty if there is none."""
    ids: tuple[Pair, ...] = ()
    """The metadata that are for the mesh: those that begin with `mm-`, and `tas-model-id`."""
    content_length: int | None = None
    problem = ""
    """Why the call is refused, if it is: what names the model is not base64."""
    _seen = 0
    _regular = False
    _cuts: tuple[int, ...] = ()
    """Where the fields begin and end that no peer is sent, one after the other."""
    _for_peer: bytes | None = None

    def __init__(self, memory: FieldMemory) -> None:
        self._memory = memory

    def __repr__(self) -> str:
        return f"<RequestHead {self.rpc}>"

    def metadata(self) -> list[Pair]:
        """All of the request's metadata, decoded, but for binary ones that are not base64."""
        return metadata_of(self._memory.fields(self.block))

    @property
    def for_peer(self) -> bytes:
        """The block without the timeout, and without what only instances may say."""
        if self._for_peer is None:
            # Table size updates stand at the beginning, and are no fields.
            block = self.block.lstrip(EMPTY_TABLE)
            kept, end, cuts = [], 0, self._cuts
            for number in range(0, len(cuts), 2):
                kept.append(block[end : cuts[number]])
                end = cuts[number + 1]
            self._for_peer = b"".join((*kept, block[end:])) if kept else block
        return self._for_peer

    def copy(self) -> "RequestHead":
        """Another head that begins with the same fields."""
        other = RequestHead(self._memory)
        other._seen = self._seen
        other._regular = self._regular
        other._cuts = self._cuts
        other.block = self.block
        other.method = self.method
        other.path = self.path
        other.rpc = self.rpc
        other.is_grpc = self.is_grpc
        other.for_runtime = self.for_runtime
        other.timeout = self.timeout
        other.timeout_s = self.timeout_s
        other.encoding = self.encoding
        other.ids = self.ids
        other.content_length = self.content_length
        other.problem = self.problem
        return other

    def extend(self, fields: Sequence[tuple[bytes, int]], kinds: "NameMemory", stream_id: int) -> None:
        """Read further fields. Raises `StreamProblem` where they break section 8."""
        known = kinds.kinds
        runtime = [self.for_runtime]
        regular = self._regular
        for number, (raw, value_at) in enumerate(fields):
            kind = known.get(raw[:value_at])
            if kind is None:
                kind = kinds.learn(raw, value_at, self._memory)
            if kind == _FORWARDED:
                regular = True
                if value_at < len(raw) and (raw[value_at] > _HUFFMAN or unfit(raw, value_at + 1)):
                    check_value(raw, value_at, stream_id)
                runtime.append(raw)
            elif kind == _TIMEOUT:
                regular = True
                self.timeout, self.timeout_s = raw, timeout_s(value_of(raw, value_at))
                self._cut(fields, number)
            elif kind == Kind.PSEUDO:
                if regular:
                    raise _malformed(stream_id, "a pseudo-header field after another one")
                self._note_pseudo(self._memory.field(raw), stream_id)
                runtime.append(raw)
            elif kind == _NOT_FORWARDED:
                regular = True
                check_value(raw, value_at, stream_id)
            else:
                regular = True
                if self._note(kind, fields, number, stream_id):
                    runtime.append(raw)
        self._regular = regular
        self.for_runtime = b"".join(runtime)

    def _cut(self, fields: Sequence[tuple[bytes, int]], number: int) -> None:
        """No peer is sent this one of the further fields."""
        start = len(self.block)
        for raw, _ in fields[:number]:
            start += len(raw)
        self._cuts = (*self._cuts, start, start + len(fields[number][0]))

    def check(self, stream_id: int) -> None:
        """Raise `StreamProblem` if a field is missing that every request has (section 8.3.1)."""
        if self._seen & _REQUIRED != _REQUIRED:
            raise _malformed(stream_id, "a pseudo-header field is missing")
        if not self.path.startswith(b"/") and self.path != b"*":
            raise _malformed(stream_id, ":path is no path")

    def _note_pseudo(self, field: Field, stream_id: int) -> None:
        if unfit(field.value):
            raise _malformed(stream_id, f"what {field.name.decode()} may not hold")
        bit = PSEUDO[field.name]
        if self._seen & bit:
            raise _malformed(stream_id, f"{field.name.decode()} is there twice")
        self._seen |= bit
        if field.name == b":method":
            self.method = field.value
        elif field.name == b":path":
            self.path = field.value
            self.rpc = field.value[1:].decode("latin-1")

    def _note(self, kind: int, fields: Sequence[tuple[bytes, int]], number: int, stream_id: int) -> bool:
        """Look at the value of one of the further fields; gives whether runtimes get it."""
        name, value, _ = self._memory.field(fields[number][0])
        if kind == Kind.PEERS_ONLY:
            self._cut(fields, number)
        if kind in {Kind.ID, Kind.PEERS_ONLY}:
            try:
                self.ids = (*self.ids, *pairs(name, value))
            except ValueError as error:
                self.problem = f"{name.decode('latin-1')}: {error}"
            return False
        if kind == Kind.ENCODING:
            self.encoding = value
        elif kind == Kind.MALFORMED:
            raise _malformed(stream_id, f"field {name!r} may not be there")
        elif name == b"content-type":
            self.is_grpc = value.startswith(b"application/grpc") and value[16:17] != b"-"
        elif name == b"content-length":
            self._note_length(value, stream_id)
        elif value != b"trailers":
            raise _malformed(stream_id, "te may be nothing but trailers")
        return True

    def _note_length(self, value: bytes, stream_id: int) -> None:
        if not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
            raise _malformed(stream_id, "content-length is no number")
        if self.content_length not in {None, int(value)}:
            raise _malformed(stream_id, "content-length is there twice")
        self.content_length = int(value)


class NameMemory:
    """What fields are to us, by the bytes before their values; shared, and bounded."""

    def __init__(self) -> None:
        self.kinds: dict[bytes, int] = {}

    def learn(self, raw: bytes, value_at: int, memory: FieldMemory) -> int:
        """The kind of a field whose name is new."""
        kind = int(kind_of(memory.field(raw).name))
        if len(self.kinds) >= NAMES_REMEMBERED_MAX:
            self.kinds.clear()
        if value_at <= NAME_BYTES_MAX:
            self.kinds[raw[:value_at]] = kind
        return kind


NAME_BYTES_MAX: Final = 128


class HeadMemory:
    """What is remembered of all requests together."""

    def __init__(self) -> None:
        self.fields = FieldMemory()
        self.names = NameMemory()
        self.heads: dict[bytes, RequestHead] = {}
        self._seen: set[int] = set()

    def keep(self, block: bytes, head: RequestHead) -> None:
        """Remember a head whose block comes for the second time; most blocks come once."""
        key = hash(block)
        if key not in self._seen:
            if len(self._seen) >= BLOCKS_SEEN_MAX:
                self._seen.clear()
            self._seen.add(key)
            return
        if len(self.heads) >= HEADS_REMEMBERED_MAX:
            self.heads.clear()
        head.is_plain = is_plain(block)
        self.heads[block] = head


class HeadReader:
    """Reads the requests of one connection."""

    def __init__(self, memory: HeadMemory, *, list_bytes_max: int) -> None:
        self.blocks = BlockReader()
        self._memory = memory
        self._list_bytes_max = list_bytes_max
        self._stem: RequestHead | None = None
        """What the last blocks had in common at their beginning."""
        self._stem_fields = 0
        self._last: Sequence[tuple[bytes, int]] = ()
        """The fields of the last block, or those that came after the stem."""

    def read(self, block: bytes, stream_id: int) -> RequestHead:
        """The head of the connection's next request.

        Raises `ConnectionProblem`, `StreamProblem` and `HeadersTooBig`.
        """
        memory, blocks = self._memory, self.blocks
        known = memory.heads.get(block)
        if known is not None and (blocks.stateless or (known.is_plain and blocks.table_is_empty)):
            return known
        plain = blocks.plain(block)
        head = self._read(plain, stream_id)
        if plain is block:
            memory.keep(block, head)
        return head

    def _read(self, block: bytes, stream_id: int) -> RequestHead:
        memory, stem = self._memory, self._stem
        if stem is not None and block.startswith(stem.block):
            fields = split(block[len(stem.block) :], begun=True)
            head, count = stem.copy(), self._stem_fields + len(fields)
        else:
            stem, fields = None, split(block)
            head, count = RequestHead(memory.fields), len(fields)
        if 2 * (len(block) + FIELD_OVERHEAD_BYTES * count) > self._list_bytes_max:
            self._weigh(block, count)  # Huffman's code and the static table at most double it
        if stem is None:
            self._learn(fields, stream_id)
        elif fields and self._last and fields[0] == self._last[0]:
            self._lengthen(stem, fields[0], stream_id)
            self._last = fields[1:]
        else:
            self._last = fields
        head.extend(fields, memory.names, stream_id)
        head.block = block
        head.check(stream_id)
        return head

    def _learn(self, fields: Sequence[tuple[bytes, int]], stream_id: int) -> None:
        """Remember what this block and the one before have in common."""
        same = 0
        for ours, theirs in zip(fields, self._last, strict=False):
            if ours != theirs:
                break
            same += 1
        self._last = fields
        self._stem = None
        if same >= STEM_FIELDS_MIN:
            stem = RequestHead(self._memory.fields)
            stem.extend(fields[:same], self._memory.names, stream_id)
            stem.block = b"".join(raw for raw, _ in fields[:same])
            self._stem, self._stem_fields, self._last = stem, same, fields[same:]

    def _lengthen(self, stem: RequestHead, field: tuple[bytes, int], stream_id: int) -> None:
        longer = stem.copy()
        longer.extend([field], self._memory.names, stream_id)
        longer.block = stem.block + field[0]
        self._stem, self._stem_fields = longer, self._stem_fields + 1

    def _weigh(self, block: bytes, count: int) -> None:
        size = FIELD_OVERHEAD_BYTES * count
        if size <= self._list_bytes_max:  # else it is not worth reading
            size += sum(len(name) + len(value) for name, value, _ in self._memory.fields.fields(block))
        if size > self._list_bytes_max:
            raise HeadersTooBig(f"the header list counts {size} bytes; {self._list_bytes_max} are allowed")


def check_trailers(fields: Iterable[Field], stream_id: int) -> None:
    """A request's trailers hold nothing that only its headers may hold. Raises `StreamProblem`."""
    for name, _, _ in fields:
        if kind_of(name) in {Kind.PSEUDO, Kind.MALFORMED}:
            raise _malformed(stream_id, f"field {name!r} in trailers")


def _malformed(stream_id: int, text: str) -> StreamProblem:
    return StreamProblem(stream_id, ErrorCode.PROTOCOL_ERROR, text)


def encode_request(rpc: str, metadata: Iterable[Pair], timeout_s: float | None) -> bytes:
    """The header block of a call that begins here."""
    block = _OWN_REQUEST + encode_field(b":path", b"/" + rpc.encode()) + _OWN_REQUEST_REST
    if timeout_s is not None:
        block += timeout_field(timeout_s)
    return block + metadata_fields(metadata)


_OWN_REQUEST = encode_fields([(b":method", b"POST"), (b":scheme", b"http")])
_OWN_REQUEST_REST = encode_fields(
    [(b":authority", b"localhost"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
)
