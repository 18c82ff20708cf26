from adapter.controller.desired.names import runtime_metadata, runtime_owner
from tests.unit.controller.desired.examples import RUNTIME_PLANS, a_plan, unowned


def test_what_a_runtime_has_goes_with_it() -> None:
    kinds = {name: runtime_owner(plan)[0]["kind"] for name, plan in RUNTIME_PLANS.items()}
    assert kinds["driven"] == "ServingRuntime"
    assert kinds["foreign-adapter"] == "ClusterServingRuntime"


def test_what_no_object_declares_has_no_owner() -> None:
    assert "ownerReferences" not in runtime_metadata(unowned(a_plan()))
