from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.desired.checks import check, complaints_of
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.plans import RuntimePlan
from adapter.domain.specs import BuiltInAdapter
from tests.unit.controller.desired.examples import RUNTIME_PLANS

PLAN = RUNTIME_PLANS["driven"]


def but(plan: RuntimePlan = PLAN, **changes: Any) -> RuntimePlan:
    return replace(plan, runtime=replace(plan.runtime, **changes))


def mlserver(**resources: Any) -> tuple[dict[str, Any], ...]:
    return ({"name": "mlserver", "resources": resources},)


@pytest.mark.parametrize("plan", RUNTIME_PLANS.values(), ids=RUNTIME_PLANS)
def test_sound_plans_run(plan: RuntimePlan) -> None:
    check(plan)


@pytest.mark.parametrize(
    ("plan", "field", "text"),
    [
        pytest.param(
            but(identity=replace(PLAN.runtime.identity, name="x" * 46)),
            "metadata.name",
            "must have at most 45 characters",
            id="a label would be too long",
        ),
        pytest.param(
            but(containers=(), adapter=None), "spec.containers", "at least one", id="nothing to run"
        ),
        pytest.param(
            but(containers=mlserver(limits={"memory": "128Mi"})),
            "spec.builtInAdapter.memBufferBytes",
            "keeps 134217728 bytes of the 128Mi that container mlserver has, so no model has room",
            id="no memory for models",
        ),
        pytest.param(
            but(
                adapter=BuiltInAdapter(server_type="mlserver"),
                containers=mlserver(requests={"memory": "256Mi"}),
            ),
            "spec.builtInAdapter.memBufferBytes",
            "keeps 268435456 bytes",
            id="nor with the buffer that there is unless told",
        ),
        pytest.param(
            but(containers=mlserver(requests={"memory": "lots"})),
            "spec.containers[0].resources.requests.memory",
            "must be a quantity",
            id="no quantity",
        ),
        pytest.param(
            but(identity=replace(PLAN.runtime.identity, annotations={"remesh.io/modelsDirSize": "big"})),
            "metadata.annotations[remesh.io/modelsDirSize]",
            "must be a quantity",
            id="no size of a disk",
        ),
    ],
)
def test_what_cannot_run_is_told_with_its_field(plan: RuntimePlan, field: str, text: str) -> None:
    (complaint,) = complaints_of(plan)
    assert complaint.field == field
    assert text in complaint.text
    with pytest.raises(BadManifest):
        check(plan)


def test_the_foreign_adapter_judges_its_memory_itself() -> None:
    plan = but(RUNTIME_PLANS["foreign-adapter"], containers=({"name": "triton", "resources": {}},))
    assert [*complaints_of(plan)] == []
