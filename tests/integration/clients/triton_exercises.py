"""What Triton's own clients do once, over gRPC or HTTP, each in its two forms; see `exercises.py`.

Told `protocol=grpc` or `protocol=http`. The runtime gives back every input as an output of its name.
"""

import asyncio
import json
import ssl
from queue import SimpleQueue
from typing import Any

import numpy as np

from tests.integration.clients.grpcio_sync import asked_of, tell

FLOATS = np.array([[1.5, -2.0, 3.25]], dtype=np.float32)
WORDS = np.array([["ä".encode(), b"\x00\xff", b""]], dtype=np.object_)
TEXTS = np.array([["ä", "b", ""]], dtype=np.object_)


def inputs_of(module: Any, words: Any, **how: Any) -> list[Any]:
    floats = module.InferInput("floats", list(FLOATS.shape), "FP32").set_data_from_numpy(FLOATS, **how)
    return [floats, module.InferInput("words", list(words.shape), "BYTES").set_data_from_numpy(words, **how)]


def tell_answer(what: str, result: Any, words: Any = WORDS) -> None:
    floats, got = result.as_numpy("floats"), result.as_numpy("words")
    same = np.array_equal(floats, FLOATS) and [_bytes(word) for word in got[0]] == [
        _bytes(word) for word in words[0]
    ]
    tell(what, "same" if same else f"{floats} {got}")


def _bytes(word: Any) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


def grpc_options(asked: dict[str, str]) -> dict[str, Any]:
    if "ca" not in asked:
        return {}
    names = {"root_certificates": "ca", "private_key": "key", "certificate_chain": "cert"}
    return {"ssl": True, **{option: asked.get(name) for option, name in names.items()}}


def grpc_sync(asked: dict[str, str]) -> None:
    import tritonclient.grpc as triton

    model, inputs = asked["model"], inputs_of(triton, WORDS)
    with triton.InferenceServerClient(asked["target"], **grpc_options(asked)) as client:
        tell("live", client.is_server_live())
        tell("ready", client.is_server_ready())
        tell("model.ready", client.is_model_ready(model))
        tell_answer("infer", client.infer(model, inputs))
        for compression in ("gzip", "deflate"):
            answer = client.infer(model, inputs, compression_algorithm=compression)
            tell_answer(f"infer.{compression}", answer)
        try:
            client.infer("no-such-model", inputs)
        except triton.InferenceServerException as error:
            tell("unknown", error.status())
        answers: SimpleQueue[Any] = SimpleQueue()
        told = {"mm-model-id": model}
        client.start_stream(lambda result, error: answers.put(error or result), headers=told)
        for number in range(3):
            client.async_stream_infer(model, inputs)
            tell_answer(f"stream.{number}", answers.get(timeout=20))
        client.stop_stream()


async def grpc_aio(asked: dict[str, str]) -> None:
    import tritonclient.grpc.aio as triton

    async with triton.InferenceServerClient(asked["target"], **grpc_options(asked)) as client:
        answers = [client.infer(asked["model"], inputs_of(triton, WORDS)) for _ in range(10)]
        for answer in await asyncio.gather(*answers):
            tell_answer("aio.infer", answer)


def http_options(asked: dict[str, str]) -> dict[str, Any]:
    if "ca" not in asked:
        return {}
    names = {"ca_certs": "ca", "certfile": "cert", "keyfile": "key"}
    return {
        "ssl": True,
        "ssl_options": {option: asked[name] for option, name in names.items() if name in asked},
    }


def http_sync(asked: dict[str, str]) -> None:
    import tritonclient.http as triton

    model = asked["model"]
    client = triton.InferenceServerClient(f"localhost:{asked['rest_port']}", **http_options(asked))
    tell("live", client.is_server_live())
    tell("ready", client.is_server_ready())
    tell("model.ready", client.is_model_ready(model))
    tell_answer("infer.binary", client.infer(model, inputs_of(triton, WORDS)))
    outputs = [triton.InferRequestedOutput(name, binary_data=False) for name in ("floats", "words")]
    answer = client.infer(model, inputs_of(triton, TEXTS), outputs=outputs)
    tell_answer("infer.json-out", answer, TEXTS)
    inputs = inputs_of(triton, TEXTS, binary_data=False)
    outputs = [triton.InferRequestedOutput(name, binary_data=True) for name in ("floats", "words")]
    tell_answer("infer.json-in", client.infer(model, inputs, outputs=outputs), TEXTS)
    floats = client.infer(
        model, inputs[:1], outputs=[triton.InferRequestedOutput("floats", binary_data=False)]
    )
    tell("infer.json", json.dumps(floats.as_numpy("floats").tolist()))
    for compression in ("gzip", "deflate"):
        how = {"request_compression_algorithm": compression, "response_compression_algorithm": compression}
        tell_answer(f"infer.{compression}", client.infer(model, inputs_of(triton, WORDS), **how))
    try:
        client.infer("no-such-model", inputs[:1])
    except triton.InferenceServerException as error:
        tell("unknown", error.status())
    client.close()


async def http_aio(asked: dict[str, str]) -> None:
    import tritonclient.http.aio as triton

    how: dict[str, Any] = {}
    if "ca" in asked:
        context = ssl.create_default_context(cafile=asked["ca"])
        if "cert" in asked:
            context.load_cert_chain(asked["cert"], asked["key"])
        how = {"ssl": True, "ssl_context": context}
    async with triton.InferenceServerClient(f"localhost:{asked['rest_port']}", **how) as client:
        answers = [client.infer(asked["model"], inputs_of(triton, WORDS)) for _ in range(10)]
        for answer in await asyncio.gather(*answers):
            tell_answer("aio.infer", answer)


def main() -> None:
    asked = asked_of()
    if asked["protocol"] == "grpc":
        grpc_sync(asked)
        asyncio.run(grpc_aio(asked))
    else:
        http_sync(asked)
        asyncio.run(http_aio(asked))


if __name__ == "__main__":
    main()
