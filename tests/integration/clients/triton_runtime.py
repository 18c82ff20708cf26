"""An unmodified tritonclient against the in-house runtime, over gRPC and HTTP; prints what it saw as JSON.

A process of its own: tritonclient registers messages of the same names as our stubs do.
"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])


def refused(call: Any) -> str:
    """What the server says to a call that must fail."""
    try:
        call()
    except InferenceServerException as error:
        return str(error)
    raise AssertionError("the call was answered")


def infer(triton: Any, client: Any, rows: "np.ndarray", *outputs: str, **options: Any) -> Any:
    given = triton.InferInput("anything", list(rows.shape), "FP64")
    given.set_data_from_numpy(rows)
    wanted = [triton.InferRequestedOutput(name) for name in outputs] or None
    return client.infer("iris", [given], outputs=wanted, request_id="41", **options)


def seen(triton: Any, address: str, unpacked: Any) -> dict[str, Any]:
    with triton.InferenceServerClient(address) as client:
        told: dict[str, Any] = {"live": client.is_server_live(), "ready": client.is_server_ready()}
        told["before"] = client.is_model_ready("iris")
        client.load_model("iris")
        told["after"] = client.is_model_ready("iris")
        told["index"] = unpacked(client.get_model_repository_index())
        told["metadata"] = unpacked(client.get_model_metadata("iris"))
        answer = infer(triton, client, ROWS, "predict", "predict_proba")
        told["id"] = (
            answer.get_response()["id"]
            if isinstance(answer.get_response(), dict)
            else answer.get_response().id
        )
        told["predict"] = answer.as_numpy("predict").tolist()
        told["predict_proba"] = answer.as_numpy("predict_proba").tolist()
        told["usual"] = infer(triton, client, ROWS).as_numpy("predict").tolist()
        told["large"] = list(infer(triton, client, np.zeros((300_000, 4))).as_numpy("predict").shape)
        told["wrong_shape"] = refused(lambda: infer(triton, client, np.zeros((1, 3))))
        client.unload_model("iris")
        told["unloaded"] = refused(lambda: infer(triton, client, ROWS))
        told["unknown"] = refused(lambda: client.load_model("nobody"))
        return told


def main(grpc_address: str, http_address: str) -> None:
    grpc = seen(tritonclient.grpc, grpc_address, str)
    http = seen(tritonclient.http, http_address, lambda message: message)
    with tritonclient.http.InferenceServerClient(http_address) as client:
        client.load_model("iris")
        packed = infer(
            tritonclient.http,
            client,
            ROWS,
            request_compression_algorithm="gzip",
            response_compression_algorithm="gzip",
        )
        http["gzip"] = packed.as_numpy("predict").tolist()
    sys.stdout.write(json.dumps({"grpc": grpc, "http": http}))


if __name__ == "__main__":
    main(*sys.argv[1:])
