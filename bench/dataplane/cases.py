"""What is asked: sizes, calls in flight, headers that stay or change, and where the model's name is."""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapter.stubs.inference import open_inference_pb2 as v2

MODEL: Final = "bench-model"
OTHER_NAME: Final = "a-name-that-the-header-overrides"
KIB: Final = 1024
MIB: Final = 1024 * KIB
RATE_A_SECOND: Final = 1000
"""Of the open loop."""


class Load(StrEnum):
    """Who makes the calls."""

    OURS = "traffic"
    """The generator beside this file, which can change headers with each call."""
    H2LOAD = "h2load"
    """nghttp2's, whose headers stay the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of traffic."""

    name: str
    about: str
    message_bytes: int = KIB
    """Of the request, and of the response."""
    in_flight: int = 64
    connections: int = 4
    load: Load = Load.OURS
    varying: bool = True
    """A grpc-timeout, a traceparent and a x-request-id that are new in each call."""
    huffman: bool = False
    """Header strings in Huffman code, as grpc-go sends them; grpc's C core and Java send plain ones."""
    name_in_header: bool = False
    """The model is named by `mm-model-id`, and the message names another; else the message names it."""
    open_loop: bool = False
    """Calls begin at their times, whatever is answered; latency is what counts."""
    rest: bool = False
    """V2 JSON over HTTP/1.1."""

    @property
    def headers(self) -> list[str]:
        return [f"mm-model-id: {MODEL}"] if self.name_in_header else []


CASES: Final = {
    case.name: case
    for case in (
        Case(name="1k", about="1 KiB, 64 in flight"),
        Case(name="1k-fixed", about="1 KiB, headers fixed (h2load)", varying=False, load=Load.H2LOAD),
        Case(name="1k-header", about="1 KiB, name in header", name_in_header=True),
        Case(name="1k-huffman", about="1 KiB, headers Huffman-coded", huffman=True),
        Case(name="1k-one-connection", about="1 KiB, 64 in flight, one connection", connections=1),
        Case(name="1k-one", about="1 KiB, 1 in flight", in_flight=1, connections=1),
        Case(name="64k", about="64 KiB, 16 in flight", message_bytes=64 * KIB, in_flight=16),
        Case(name="4m", about="4 MiB, 4 in flight", message_bytes=4 * MIB, in_flight=4),
        Case(name="4m-one", about="4 MiB, 1 in flight", message_bytes=4 * MIB, in_flight=1, connections=1),
        Case(
            name="rest",
            about="REST: 64 FP32 as V2 JSON, 16 in flight",
            in_flight=16,
            connections=16,
            load=Load.H2LOAD,
            varying=False,
            rest=True,
        ),
        Case(name="open", about=f"1 KiB, {RATE_A_SECOND} begun a second", open_loop=True),
    )
}


def grpc_message(case: Case) -> bytes:
    """A ModelInferRequest of exactly that size, with the prefix that gRPC puts before it."""
    request = v2.ModelInferRequest(model_name=OTHER_NAME if case.name_in_header else MODEL)
    tensor = request.inputs.add(name="input", datatype="UINT8", shape=[1, case.message_bytes])
    request.raw_input_contents.append(bytes(case.message_bytes))
    while (over := request.ByteSize() - case.message_bytes) > 0:
        contents = len(request.raw_input_contents[0]) - over
        request.raw_input_contents[0] = bytes(contents)
        tensor.shape[1] = contents
    if missing := -over:
        # The shape and the length of the contents got shorter; another field makes up for it.
        request.id = "i" * max(missing - 2, 0)
    encoded = request.SerializeToString()
    return struct.pack(">BI", 0, len(encoded)) + encoded


def rest_body() -> str:
    """64 FP32, written as a client writes them that has them as floats."""
    values = [struct.unpack("<f", struct.pack("<f", ((7919 * n) % 1000) / 997 - 0.5))[0] for n in range(64)]
    data = ", ".join(repr(value) for value in values)
    return f'{{"inputs": [{{"name": "input", "shape": [1, 64], "datatype": "FP32", "data": [{data}]}}]}}'
