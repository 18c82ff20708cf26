"""What every client of the management API sees, row by row of the reference (ModelMesh core 1.3, 1.4, 1.6).

The rows are in `management_rows` and `vmodel_rows`: each is a list of calls with what they are answered. The
suite needs nothing but channels to a mesh whose runtimes behave as ModelMesh's example runtime (9.2): a path
`SIZE_<bytes>_<loadMs>_<unloadMs>` sets size and times, a path `FAIL_<message>` fails the first load. Names
are made unique for each row, so that all may run against one mesh. Steps are spread over the channels: with
several instances behind them, it does not matter which one is asked.

What no client sees is not here: when a model was last used (1.3, register 2 and 3), what is written to etcd,
and the order of the runtime's calls (1.5; `tests/contracts/runtime_driver.py`).
"""

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from tests.contracts.management_rows import MODEL_ROWS
from tests.contracts.management_steps import Step
from tests.contracts.vmodel_rows import VMODEL_ROWS

MESH = "mmesh.ModelMesh"
EVENTUALLY_S_MAX = 15.0
METHODS: Mapping[str, tuple[Any, Any]] = {
    "registerModel": (mm.RegisterModelRequest, mm.ModelStatusInfo),
    "unregisterModel": (mm.UnregisterModelRequest, mm.UnregisterModelResponse),
    "getModelStatus": (mm.GetStatusRequest, mm.ModelStatusInfo),
    "ensureLoaded": (mm.EnsureLoadedRequest, mm.ModelStatusInfo),
    "setVModel": (mm.SetVModelRequest, mm.VModelStatusInfo),
    "deleteVModel": (mm.DeleteVModelRequest, mm.DeleteVModelResponse),
    "getVModelStatus": (mm.GetVModelStatusRequest, mm.VModelStatusInfo),
    "addModel": (mm.RegisterModelRequest, mm.ModelStatusInfo),
    "deleteModel": (mm.UnregisterModelRequest, mm.UnregisterModelResponse),
    "ModelInfer": (v2.ModelInferRequest, v2.ModelInferResponse),
}
NAMES = {"modelId", "vModelId", "targetModelId", "expectedTargetModelId", "activeModelId", "modelName"} | {
    "canaryModelId",
    "shadowModelId",
}
"""Fields that hold the name of a model or of an alias."""

_rows_run = itertools.count()


def rows(table: Mapping[str, Sequence[Step]]) -> list[Any]:
    """As parameters of a test."""
    return [pytest.param(steps, id=name) for name, steps in table.items()]


class ManagementContract:
    """A subclass offers the fixture `channels`: to each instance of a mesh, in which nothing is registered.

    `MM_DEFAULT_VMODEL_OWNER` of the mesh is `DEFAULT_OWNER`.
    """

    @pytest.mark.parametrize("steps", rows({**MODEL_ROWS, **VMODEL_ROWS}))
    async def test_row(self, channels: Sequence[grpc.aio.Channel], steps: Sequence[Step]) -> None:
        await run(channels, steps)


async def run(channels: Sequence[grpc.aio.Channel], steps: Iterable[Step], *, prefix: str = "") -> None:
    """Take the steps, each at the next of the instances, with names of their own; `prefix` begins those."""
    prefix = prefix or f"row{next(_rows_run)}-"
    for channel, step in zip(itertools.cycle(channels), steps, strict=False):
        await take(channel, step, prefix, copies_max=len(channels))


async def take(channel: grpc.aio.Channel, step: Step, prefix: str, *, copies_max: int = 1) -> None:
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + EVENTUALLY_S_MAX
    while True:
        code, text, answer = await _called(channel, step, prefix)
        assert code == step.code, f"{step.method} {step.request}: {code}: {text} {answer}"
        missing = _missing(_named(step.answer, prefix), answer, copies_max=copies_max)
        if missing is None or not step.eventually or loop.time() > ends_s:
            break
        await asyncio.sleep(0.05)
    assert missing is None, f"{step.method} {step.request}: {missing}, in {answer}"
    wanted = step.text.replace("{v}", f"{prefix}v")
    assert (text == wanted) if step.exact else (wanted in text)


async def _called(channel: grpc.aio.Channel, step: Step, prefix: str) -> tuple[str, str, Mapping[str, Any]]:
    """Code, text and answer."""
    service, _, method = step.method.rpartition("/")
    request, response = METHODS[method]
    stub: Any = channel.unary_unary(
        f"/{service or MESH}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    headers = [(key, prefix + name) for key, name in step.headers.items()]
    try:
        answer = await stub(
            ParseDict(_named(step.request, prefix), request()), timeout=step.timeout_s, metadata=headers
        )
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or "", {}
    return "OK", "", MessageToDict(answer, always_print_fields_with_no_presence=True)


def _named(fields: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """With the row's own names; a field with `!` behind its name is left as it is."""
    named: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            named[name] = _named(value, prefix)
        else:
            named[name.rstrip("!")] = prefix + value if name in NAMES and value else value
    return named


def _missing(wanted: Any, found: Any, at: str = "answer", *, copies_max: int = 1) -> str | None:
    """What is not as wanted, in words; None: all is. Each of several instances may have failed alike."""
    match wanted, found:
        case dict(), dict():
            complaints = (
                _missing(value, found.get(name), f"{at}.{name}", copies_max=copies_max)
                for name, value in wanted.items()
            )
            return next(filter(None, complaints), None)
        case list(), list() if len(wanted) <= len(found) <= len(wanted) * copies_max:
            pairs = zip(itertools.cycle(wanted), found, strict=False)
            complaints = (_missing(*pair, f"{at}[{number}]") for number, pair in enumerate(pairs))
            return next(filter(None, complaints), None)
        case _ if wanted == found:
            return None
    return f"{at} is {found!r} instead of {wanted!r}"
