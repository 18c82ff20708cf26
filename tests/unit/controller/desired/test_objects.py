import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from adapter.controller.desired.objects import Wanted, namespace_keys, namespace_objects, runtime_objects
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.domain.kinds import AUTOSCALER, CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE_MONITOR, Key
from tests.unit.controller.desired.examples import (
    CONSTRAINTS,
    HERE,
    NAMESPACE_PLANS,
    RUNTIME_PLANS,
    a_namespace,
    a_plan,
)

GOLDEN = HERE / "golden"


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out again, and lists indented as people write them."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def assert_golden(name: str, wanted: Wanted) -> None:
    """`UPDATE_GOLDEN=1` writes the files anew; then read what has changed."""
    documents = [dict(manifest) for _, manifest in wanted.there]
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)
    path: Path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize(("name", "plan"), RUNTIME_PLANS.items())
def test_what_a_runtime_is_made_of_is_as_in_its_golden_file(name: str, plan: RuntimePlan) -> None:
    assert_golden(name, runtime_objects(plan))


@pytest.mark.parametrize(("name", "plan"), NAMESPACE_PLANS.items())
def test_what_a_namespace_has_is_as_in_its_golden_file(name: str, plan: NamespacePlan) -> None:
    assert_golden(name, namespace_objects(plan, CONSTRAINTS))


def test_every_golden_file_is_of_a_plan() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {*RUNTIME_PLANS, *NAMESPACE_PLANS}


@pytest.mark.parametrize("plan", RUNTIME_PLANS.values(), ids=RUNTIME_PLANS)
def test_the_same_plan_gives_the_same_objects(plan: RuntimePlan) -> None:
    assert runtime_objects(plan) == runtime_objects(plan)


def test_an_autoscaler_is_made_after_what_it_scales() -> None:
    kinds = [kind for kind, _ in runtime_objects(RUNTIME_PLANS["foreign-adapter"]).there]
    assert kinds.index(DEPLOYMENT) < kinds.index(AUTOSCALER)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"autoscaling": None}, id="not asked for"),
        pytest.param({"replicas": 0}, id="scaled to zero"),
    ],
)
def test_an_autoscaler_that_must_not_be_there_goes(changes: dict[str, object]) -> None:
    known = {"autoscaling": RUNTIME_PLANS["foreign-adapter"].autoscaling}
    wanted = runtime_objects(a_plan("triton-2.x", **(known | changes)))
    assert [(key.kind, key.name) for key in wanted.gone] == [(AUTOSCALER, "modelmesh-serving-triton-2.x")]
    assert AUTOSCALER not in [kind for kind, _ in wanted.there]


def test_a_namespace_without_runtimes_keeps_neither_constraints_nor_a_copy_of_the_secret() -> None:
    wanted = namespace_objects(a_namespace(runtimes=(), etcd_connection=b"{}"), CONSTRAINTS)
    assert {key.kind for key in wanted.gone} == {CONFIG_MAP, SECRET, DEPLOYMENT}


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(a_namespace(), id="not asked for"),
        pytest.param(a_namespace(runtimes=(), door=True), id="nothing sleeps behind it"),
    ],
)
def test_a_door_that_need_not_be_there_goes(plan: NamespacePlan) -> None:
    wanted = namespace_objects(plan, CONSTRAINTS)
    assert Key(kind=DEPLOYMENT, name="modelmesh-serving--door", namespace="apples") in wanted.gone
    assert DEPLOYMENT not in [kind for kind, _ in wanted.there]


def test_the_controllers_own_namespace_has_the_secret_itself() -> None:
    wanted = namespace_objects(a_namespace(etcd_connection=None), CONSTRAINTS)
    assert SECRET not in [kind for kind, _ in wanted.there]


def test_where_the_operator_is_not_installed_its_kind_is_not_spoken_of() -> None:
    wanted = namespace_objects(a_namespace(has_service_monitor=False), CONSTRAINTS)
    assert SERVICE_MONITOR not in {key.kind for key in wanted.gone} | {kind for kind, _ in wanted.there}


def test_what_cannot_run_is_not_rendered() -> None:
    plan = RUNTIME_PLANS["driven"]
    with pytest.raises(BadManifest):
        runtime_objects(replace(plan, runtime=replace(plan.runtime, containers=())))


def test_everything_with_a_fixed_name_is_known_by_it() -> None:
    wanted = namespace_objects(NAMESPACE_PLANS["namespace"], CONSTRAINTS)
    made = {(kind, manifest["metadata"]["name"]) for kind, manifest in wanted.there}
    known = namespace_keys("apples", etcd_secret_name="model-serving-etcd")
    assert {(key.kind, key.name) for key in known} == {
        each for each in made if each[1] != "modelmesh-serving"
    }
