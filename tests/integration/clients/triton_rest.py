"""An unmodified tritonclient against the REST door, sync and aio; prints what it saw as one JSON object.

A process of its own: tritonclient registers messages of the same names as our stubs do. The server at the
first address echoes its inputs; the one at the second has the model `iris`.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
TENSORS = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], dtype=np.uint8),
    "INT64": np.array([[-(2**63), 2**63 - 1]], dtype=np.int64),
    "UINT64": np.array([[0, 2**64 - 1]], dtype=np.uint64),
    "FP16": np.array([[0.1, np.inf]], dtype=np.float16),
    "FP32": np.array([[0.1, np.nan]], dtype=np.float32),
    "FP64": np.array([[0.1, 1e300]]),
    "BYTES": np.array([["größe".encode(), b"", b'"\\\n']], dtype=np.object_),
}
PACKED: dict[str, Any] = {
    "request_compression_algorithm": "gzip",
    "response_compression_algorithm": "deflate",
}


def tensors(*, binary: bool) -> list[triton.InferInput]:
    given = []
    for datatype, values in TENSORS.items():
        given.append(triton.InferInput(datatype, list(values.shape), datatype))
        # It writes FP16 as binary data only.
        given[-1].set_data_from_numpy(values, binary_data=binary or datatype == "FP16")
    return given


def outputs(*, binary: bool) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in TENSORS]


def is_same(answer: triton.InferResult) -> dict[str, bool]:
    """By datatype, whether what came back is what was sent."""
    return {name: is_equal(answer.as_numpy(name), values) for name, values in TENSORS.items()}


def is_equal(got: "np.ndarray", sent: "np.ndarray") -> bool:
    if sent.dtype == np.object_:  # it gives elements that came as JSON as strings
        got = np.vectorize(lambda each: each.encode() if isinstance(each, str) else each, otypes="O")(got)
        return bool(np.array_equal(got, sent))
    return bool(np.array_equal(got, sent, equal_nan=sent.dtype.kind == "f"))


def refused(call: Any) -> str:
    try:
        call()
    except InferenceServerException as error:
        return str(error)
    raise AssertionError("the call was answered")


def echoes(address: str) -> dict[str, Any]:
    with triton.InferenceServerClient(address) as client:
        told = {}
        for binary_in in (True, False):
            for binary_out in (True, False):
                answer = client.infer("echo", tensors(binary=binary_in), outputs=outputs(binary=binary_out))
                told[f"{binary_in} {binary_out}"] = is_same(answer)
        told["packed"] = is_same(client.infer("echo", tensors(binary=True), **PACKED))
        large = np.arange(300_000, dtype=np.float32)
        given = triton.InferInput("large", [300_000], "FP32")
        given.set_data_from_numpy(large, binary_data=False)
        answer = client.infer(
            "echo", [given], outputs=[triton.InferRequestedOutput("large", binary_data=False)]
        )
        told["large"] = {"FP32": bool(np.array_equal(answer.as_numpy("large"), large))}
        return told


def asks_iris(address: str) -> dict[str, Any]:
    with triton.InferenceServerClient(address) as client:
        given = triton.InferInput("anything", [2, 4], "FP64")
        given.set_data_from_numpy(ROWS)
        told: dict[str, Any] = {"live": client.is_server_live(), "ready": client.is_server_ready()}
        client.load_model("iris")
        told["model_ready"] = client.is_model_ready("iris")
        told["server"] = client.get_server_metadata()["extensions"]
        told["index"] = client.get_model_repository_index()
        told["metadata"] = client.get_model_metadata("iris")
        answer = client.infer("iris", [given], request_id="41")
        told["id"] = answer.get_response()["id"]
        told["predict"] = answer.as_numpy("predict").tolist()
        client.unload_model("iris")
        told["unloaded"] = refused(lambda: client.infer("iris", [given]))
        told["unknown"] = refused(lambda: client.load_model("nobody"))
        told["no_path"] = refused(lambda: client.get_inference_statistics("iris"))
        return told


async def echoes_aio(address: str) -> dict[str, Any]:
    async with triton_aio.InferenceServerClient(address) as client:
        answer = await client.infer("echo", tensors(binary=True))
        text = await client.infer("echo", tensors(binary=False), outputs=outputs(binary=False))
        return {"aio": is_same(answer), "aio JSON": is_same(text)}


def main(echo: str, iris: str) -> None:
    told = {"echoes": {**echoes(echo), **asyncio.run(echoes_aio(echo))}, "iris": asks_iris(iris)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
