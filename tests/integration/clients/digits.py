"""An unmodified tritonclient asks a pod for digits, over gRPC and HTTP; prints both answers as JSON.

    digits.py GRPC_ADDRESS HTTP_ADDRESS MODEL ROWS.json

A process of its own: tritonclient registers messages of the same names as our stubs do.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http


def infer(triton: Any, address: str, model: str, rows: "np.ndarray") -> list[int]:
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_ready()
        assert client.is_model_ready(model)
        given = triton.InferInput("predict", list(rows.shape), "FP64")
        given.set_data_from_numpy(rows)
        digits: list[int] = client.infer(model, [given]).as_numpy("predict").tolist()
        return digits


def main(grpc_address: str, http_address: str, model: str, file: str) -> None:
    rows = np.asarray(json.loads(Path(file).read_text())["rows"])
    grpc = infer(tritonclient.grpc, grpc_address, model, rows)
    http = infer(tritonclient.http, http_address, model, rows)
    sys.stdout.write(json.dumps({"grpc": grpc, "http": http}))


if __name__ == "__main__":
    main(*sys.argv[1:])
