"""An unmodified tritonclient against a mesh; prints what it saw as one JSON object.

A process of its own: tritonclient registers messages of the same names as our stubs do.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton


def refusal(call: object) -> list[str]:
    try:
        call()  # type: ignore[operator]
    except triton.InferenceServerException as error:
        return [error.status() or "", error.message() or ""]
    return ["", "no error"]


def tensor(rows: "np.ndarray") -> list[triton.InferInput]:
    given = triton.InferInput("predict", list(rows.shape), "FP64")
    given.set_data_from_numpy(rows)
    return [given]


def main(address: str, model: str, big_model: str) -> None:
    client = triton.InferenceServerClient(address)
    metadata = client.get_model_metadata(model)
    digits = np.arange(128, dtype=np.float64).reshape(2, 64) % 17
    answer = client.infer(model, tensor(digits))
    big = client.infer(big_model, tensor(np.zeros((20_000, 64))))
    print(  # noqa: T201 - its answer
        json.dumps(
            {
                "live": client.is_server_live(),
                "ready": client.is_server_ready(),
                "server": client.get_server_metadata().name,
                "model_ready": client.is_model_ready(model),
                "platform": metadata.platform,
                "inputs": [[each.datatype, list(each.shape)] for each in metadata.inputs],
                "answer": answer.as_numpy("predict").tolist(),
                "big": list(big.as_numpy("predict").shape),
                "unknown": refusal(lambda: client.infer("nobody", tensor(digits))),
                "wrong_shape": refusal(lambda: client.infer(model, tensor(digits[:, :10].copy()))),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
