"""Who of several equal instances gets a model: the caller's own, else the one that its id chooses."""

from collections import Counter

from adapter.domain.ids import InstanceId, ModelId
from adapter.mesh.constraints import NO_CONSTRAINTS
from adapter.mesh.placement import affinity, place
from adapter.mesh.verdicts import Placed
from adapter.mesh.wanted import Wanted
from tests.builders import NOW_MS, AnInstance, a_mesh, an_instance, wanted

A, B, C = an_instance("a"), an_instance("b"), an_instance("c")
MODELS = [f"model-{n}" for n in range(60)]
"""Enough that each instance in question is chosen for some of them."""


def placed(*instances: AnInstance, want: Wanted) -> Placed:
    verdict = place(want, a_mesh(*instances), NO_CONSTRAINTS, now_ms=NOW_MS)
    assert isinstance(verdict, Placed)
    return verdict


def test_a_caller_that_spreads_its_calls_has_it_loaded_where_it_asks() -> None:
    for model in MODELS:
        verdict = placed(A, B, C, want=wanted(model, here="b", balanced=True))
        assert verdict.instance == "b"
        assert "spreads its calls itself" in verdict.because


def test_but_not_where_it_is_full() -> None:
    verdicts = [placed(A, B.full(), C, want=wanted(model, here="b", balanced=True)) for model in MODELS]
    assert {verdict.instance for verdict in verdicts} == {"a", "c"}


def test_other_callers_have_it_loaded_at_the_same_place_wherever_they_ask() -> None:
    for model in MODELS:
        asked = [placed(A, B, C, want=wanted(model, here=here)) for here in "abc"]
        assert asked[0] == asked[1] == asked[2]


def test_a_model_belongs_to_the_same_instance_in_every_process() -> None:
    instances = [InstanceId(name) for name in "abc"]
    homes = [affinity(ModelId(model), instances) for model in ("iris", "mnist", "churn", "\udcff/é")]
    assert homes == ["b", "c", "b", "a"]
    assert [affinity(ModelId(m), instances[::-1]) for m in ("iris", "mnist", "churn", "\udcff/é")] == homes


def test_when_an_instance_leaves_only_its_models_move() -> None:
    instances = [InstanceId(name) for name in "abcde"]
    for model in map(ModelId, MODELS):
        home = affinity(model, instances)
        left = [each for each in instances if each != "c"]
        assert (affinity(model, left) == home) is (home != "c")


def test_a_thousand_cold_models_spread_evenly_over_what_five_instances_saw_at_one_moment() -> None:
    mesh = a_mesh(*"abcde")
    makers = {id_: Counter[InstanceId]() for id_ in mesh}
    for n in range(1_000):
        here, pending = list(makers.items())[n % 5]
        verdict = place(wanted(f"m{n}", here=here), mesh, NO_CONSTRAINTS, now_ms=NOW_MS, pending=pending)
        assert isinstance(verdict, Placed)
        pending[verdict.instance] += 1
    total = sum(makers.values(), Counter[InstanceId]())
    assert sum(total.values()) == 1_000
    assert max(total.values()) <= 1.3 * 200
