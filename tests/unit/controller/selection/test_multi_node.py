from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.selection.multi_node import multi_node_complaints

MAIN_ENV = "spec.containers[0].env[0]: "
WORKER_ENV = "spec.workerSpec.containers[0].env[0]: "
WORKER: dict[str, Any] = {"containers": [{"name": "worker-container"}]}


def a_manifest(
    worker: dict[str, Any] | None = WORKER, *, env: str = "", gpu: str = "nvidia.com/gpu", **spec: Any
) -> dict[str, Any]:
    main: dict[str, Any] = {
        "name": "kserve-container",
        "env": [{"name": env, "value": "1"}] if env else [],
        "resources": {"limits": {"cpu": "1", "memory": "2Gi", gpu: "1"}},
    }
    return {"spec": {"containers": [main], **({} if worker is None else {"workerSpec": worker}), **spec}}


def complaints(manifest: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [*map(str, multi_node_complaints(manifest, old))]


def test_row_24_a_worker_as_it_should_be() -> None:
    sizes = {"pipelineParallelSize": 2, "tensorParallelSize": 1}
    assert complaints(a_manifest({**WORKER, **sizes}), a_manifest()) == []


@pytest.mark.parametrize(
    ("manifest", "old", "complaint"),
    [
        pytest.param(
            a_manifest({**WORKER, "pipelineParallelSize": 0}),
            None,
            "spec.workerSpec.pipelineParallelSize: cannot be less than 1, and is 0",
            id="row 72, pipeline",
        ),
        pytest.param(
            a_manifest({**WORKER, "tensorParallelSize": 0}),
            None,
            "spec.workerSpec.tensorParallelSize: cannot be less than 1, and is 0",
            id="row 72, tensor",
        ),
        pytest.param(
            a_manifest(env="PIPELINE_PARALLEL_SIZE"),
            None,
            f"{MAIN_ENV}setting PIPELINE_PARALLEL_SIZE in environment variables is not allowed; set "
            "spec.workerSpec.pipelineParallelSize",
            id="row 72, env",
        ),
        pytest.param(
            a_manifest(env="TENSOR_PARALLEL_SIZE"),
            None,
            f"{MAIN_ENV}setting TENSOR_PARALLEL_SIZE in environment variables is not allowed; set "
            "spec.workerSpec.tensorParallelSize",
            id="row 72, env of tensor",
        ),
        pytest.param(
            a_manifest(None),
            a_manifest(),
            "spec.workerSpec: removing workerSpec where it already exists is not allowed; make a new one",
            id="row 72, removed",
        ),
        pytest.param(
            a_manifest({"containers": [{"name": "worker-container"}, {"name": "another"}]}),
            None,
            "spec.workerSpec.containers: setting multiple containers in workerSpec is not allowed; keep "
            "worker-container",
            id="row 72, two workers",
        ),
        pytest.param(
            a_manifest(gpu="example.com/gpu"),
            None,
            "spec.containers[0].resources.limits: unknown GPU resource type example.com/gpu; known are "
            "nvidia.com/gpu, amd.com/gpu, intel.com/gpu, habana.ai/gaudi",
            id="an unknown GPU",
        ),
        pytest.param(
            a_manifest(env="PYTHONPATH"),
            None,
            f"{MAIN_ENV}setting PYTHONPATH in environment variables is not allowed; take it out",
            id="row 73, main",
        ),
        pytest.param(
            a_manifest({"containers": [{"name": "worker-container", "env": [{"name": "PYTHONPATH"}]}]}),
            None,
            f"{WORKER_ENV}setting PYTHONPATH in environment variables is not allowed; take it out",
            id="row 73, worker",
        ),
    ],
)
def test_what_is_denied(manifest: dict[str, Any], old: dict[str, Any] | None, complaint: str) -> None:
    (told,) = complaints(manifest, old)
    assert told == complaint


def test_a_runtime_of_one_node_may_say_more() -> None:
    assert complaints(a_manifest(None, env="PYTHONPATH", gpu="example.com/fpga")) == []


def test_a_disabled_runtime_may_say_anything() -> None:
    assert complaints(a_manifest(None, disabled=True), a_manifest()) == []


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "workerSpec", "containers", "env", "name", "resources", "limits"]), inner
        )
    ),
)


@given(st.fixed_dictionaries({"spec": json}), st.none() | st.fixed_dictionaries({"spec": json}))
def test_what_is_misshapen_is_passed_over(manifest: dict[str, Any], old: dict[str, Any] | None) -> None:
    multi_node_complaints(manifest, old)
