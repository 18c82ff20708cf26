from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.disruption_budget import disruption_budget
from tests.unit.controller.desired.examples import a_plan


def test_it_is_about_the_pods_of_the_deployment_and_lets_one_go_at_a_time() -> None:
    spec = disruption_budget(a_plan())["spec"]
    assert spec["selector"] == deployment(a_plan())["spec"]["selector"]
    assert spec["maxUnavailable"] == 1
