import json
from typing import Any

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.constraints import NO_CONSTRAINTS, TypeConstraints
from adapter.mesh.placement import place, why_not
from adapter.mesh.verdicts import Placed, Refused
from adapter.mesh.wanted import Wanted
from tests.builders import (
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    SECOND_MS,
    AnInstance,
    a_mesh,
    an_instance,
    copies,
    failed,
    gib,
    loaded,
    loading,
    mib,
    wanted,
)

A, B, C = an_instance("a"), an_instance("b"), an_instance("c")
MODELS = [f"model-{n}" for n in range(60)]
"""Enough that each instance in question is chosen for some of them."""


def constraints(**rules: object) -> TypeConstraints:
    return TypeConstraints.parse(json.dumps(rules))


def placed(
    *instances: AnInstance,
    want: Wanted | None = None,
    rules: TypeConstraints = NO_CONSTRAINTS,
    pending: dict[InstanceId, int] | None = None,
) -> Placed | Refused:
    return place(want or wanted(here="-"), a_mesh(*instances), rules, now_ms=NOW_MS, pending=pending or {})


def candidates(*instances: AnInstance, rules: TypeConstraints = NO_CONSTRAINTS, **fields: Any) -> set[str]:
    """Where any model may go, the id of which decides."""
    fields.setdefault("here", "-")
    found = set[str]()
    for model in MODELS:
        verdict = placed(*instances, want=wanted(model, **fields), rules=rules)
        assert isinstance(verdict, Placed)
        found.add(verdict.instance)
    return found


# Who may hold it.


@pytest.mark.parametrize(
    ("instance", "want", "reason"),
    [
        pytest.param(A, {"copies": copies(a=loaded())}, "it holds the model already", id="holds it"),
        pytest.param(A, {"copies": copies(a=loading())}, "it loads the model already", id="loads it"),
        pytest.param(
            A,
            {"copies": copies(a=failed("DATA_LOSS: it is cut short"))},
            "its load failed there (DATA_LOSS: it is cut short), tried again in 10 min",
            id="failed",
        ),
        pytest.param(
            A,
            {"copies": copies(a=failed(""))},
            "its load failed there (for no reason that it told), tried again in 10 min",
            id="failed, nobody knows why",
        ),
        pytest.param(
            A, {"excluded": {"a": "it hung up"}}, "it was tried for this request: it hung up", id="tried"
        ),
        pytest.param(A.draining(), {}, "it drains", id="drains"),
        pytest.param(
            A.labelled("cpu"), {"type": "t"}, "it lacks the labels [gpu] that type t requires", id="labels"
        ),
        pytest.param(
            A,
            {"size_bytes": gib(3)},
            "it is too small: the model needs 3.0 GiB, and it has 1.0 GiB in all",
            id="too small",
        ),
        pytest.param(
            A.with_capacity(0), {}, "it has no room for models, or has not said yet how much", id="no room"
        ),
    ],
)
def test_who_may_not_hold_it_is_told_why(instance: AnInstance, want: dict[str, Any], reason: str) -> None:
    rules = constraints(t={"required": ["cpu", "gpu"]})
    other = an_instance("z").labelled("cpu", "gpu").with_capacity(gib(9))
    verdict = placed(instance, other, want=wanted(here="-", **want), rules=rules)
    assert isinstance(verdict, Placed)
    assert verdict == Placed(
        instance=other.id, because="the only instance that may hold it", refused={instance.id: reason}
    )


def test_a_failure_that_has_expired_does_not_count() -> None:
    want = wanted(here="-", copies=copies(a=failed(expires_ms=0)))
    assert not why_not(want, A.state, NO_CONSTRAINTS, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("table", "held", "reason"),
    [
        pytest.param(copies(a=loaded()), None, "", id="it went a moment ago"),
        pytest.param({}, CopyState.LOADED, "it holds the model already", id="it came a moment ago"),
        pytest.param({}, CopyState.LOADING, "it loads the model already", id="it is coming"),
        pytest.param({}, CopyState.FAILED, "its load failed there", id="it failed a moment ago"),
    ],
)
def test_of_this_instance_its_own_cache_is_believed(
    table: dict[InstanceId, CopyRecord], held: CopyState | None, reason: str
) -> None:
    want = wanted(here="a", copies=table, held_here=held)
    assert why_not(want, A.state, NO_CONSTRAINTS, now_ms=NOW_MS) == reason


def test_who_is_being_replaced_gets_nothing_new() -> None:
    old = an_instance("8f6c7b-x7k2p").started(HOUR_MS)
    new = an_instance("5d8f6c-zz9ww").started(MINUTE_MS).with_copies(500)
    verdict = placed(old, new)
    assert isinstance(verdict, Placed)
    assert verdict.instance == new.id
    assert verdict.refused == {old.id: "newer instances are replacing those of its ReplicaSet"}


def test_who_is_being_replaced_will_do_where_nobody_else_is_left() -> None:
    old, older = (an_instance(f"8f6c7b-x7k2{n}").started(HOUR_MS) for n in "bc")
    new = an_instance("5d8f6c-zz9ww").started(MINUTE_MS)
    table = copies(**{new.id: loaded()})
    assert candidates(old, new, copies=table) == {old.id}
    assert candidates(old, older, new, copies=table) == {old.id, older.id}


# Nobody.


@pytest.mark.parametrize(
    ("instances", "want", "because"),
    [
        pytest.param([], {}, "Nowhere available to load: there are no instances", id="there is nobody"),
        pytest.param(
            [A, B.draining()],
            {"type": "t"},
            "There are no running instances that meet the label requirements of type t: [gpu, v2]",
            id="nobody has the labels",
        ),
        pytest.param(
            [],
            {"type": "t"},
            "There are no running instances that meet the label requirements of type t: [gpu, v2]",
            id="there is nobody to have the labels",
        ),
        pytest.param(
            [A, B.with_capacity(gib(2)), C.with_capacity(gib(9)).draining()],
            {"size_bytes": int(gib(3.1))},
            "Nowhere available to load: it needs 3.1 GiB, the biggest instance that may hold it has 2.0 GiB",
            id="all are too small",
        ),
        pytest.param(
            [A, B],
            {"copies": copies(a=loaded(), b=failed())},
            "Nowhere available to load: a: it holds the model already; "
            "b: its load failed there (INTERNAL: the runtime said no), tried again in 10 min",
            id="all have it or failed",
        ),
        pytest.param([A.draining()], {}, "Nowhere available to load: a: it drains", id="all drain"),
        pytest.param(
            [an_instance(f"i{n}").draining() for n in range(9)],
            {},
            "Nowhere available to load: " + "; ".join(f"i{n}: it drains" for n in range(5)) + "; and 4 more",
            id="very many",
        ),
    ],
)
def test_when_nobody_may_hold_it_what_is_missing_is_told(
    instances: list[AnInstance], want: dict[str, Any], because: str
) -> None:
    verdict = placed(
        *instances, want=wanted(here="-", **want), rules=constraints(t={"required": ["gpu", "v2"]})
    )
    assert isinstance(verdict, Refused)
    assert (verdict.code, verdict.because) == (Code.RESOURCE_EXHAUSTED, because)
    assert set(verdict.refused) == {each.id for each in instances}


# Who should.


@pytest.mark.parametrize(
    ("instances", "chosen"),
    [
        pytest.param([A, B, C], {"a", "b", "c"}, id="all are equal"),
        pytest.param([A, B.full()], {"a"}, id="one is full"),
        pytest.param(
            [A, B.with_free(mib(257)), C.with_free(mib(255))], {"a", "b"}, id="a quarter as much free"
        ),
        pytest.param(
            [A.with_copies(3), B.with_copies(9), C.with_copies(10)], {"a", "b"}, id="less than ten copies"
        ),
        pytest.param(
            [A.with_copies(80), B.with_copies(100), C.with_copies(101)],
            {"a", "b"},
            id="a quarter more copies",
        ),
        pytest.param([A.loading(5), B.loading(4), C], {"b", "c"}, id="a long loading queue"),
        pytest.param(
            [A.of_version("m-20240101-1"), B.of_version("m-20240101-2"), C.of_version("m-20240101-2")],
            {"b", "c"},
            id="newer versions",
        ),
        pytest.param(
            [A.full(), B.full(unused_ms=HOUR_MS - 6 * MINUTE_MS), C.full(unused_ms=HOUR_MS - 7 * MINUTE_MS)],
            {"a", "b"},
            id="all full: a tenth of the age",
        ),
        pytest.param(
            [A.full(unused_ms=60_000), B.full(unused_ms=15_000), C.full(unused_ms=14_000)],
            {"a", "b"},
            id="all full: within 45 seconds",
        ),
        pytest.param([A.with_free(0), B.full(unused_ms=50_000)], {"b"}, id="all full: nothing there can go"),
    ],
)
def test_the_best_and_those_close_to_it_share_the_models(
    instances: list[AnInstance], chosen: set[str]
) -> None:
    assert candidates(*instances) == chosen
    assert candidates(*reversed(instances)) == chosen


def test_a_full_mesh_is_no_obstacle() -> None:
    verdict = placed(A.full(unused_ms=HOUR_MS), B.full(unused_ms=2 * HOUR_MS))
    assert isinstance(verdict, Placed)
    assert verdict.instance == "b"
    assert verdict.because == "it is full, and gives up what was not used for 7200 s"


def test_how_big_the_model_is_decides_who_is_full() -> None:
    roomy, tight = A.with_free(mib(300)).with_copies(9), B.with_free(mib(200)).with_copies(1)
    assert candidates(roomy, tight, size_bytes=mib(250)) == {"a"}
    assert candidates(roomy, tight, size_bytes=mib(1)) == {"a", "b"}


@pytest.mark.parametrize(
    ("unused_ms", "chosen"),
    [
        pytest.param(-2 * SECOND_MS, {"a"}, id="a further copy of a busy model: a tenth busier"),
        pytest.param(0, {"a", "b"}, id="used now: half as much again"),
        pytest.param(4 * SECOND_MS, {"a", "b"}, id="used just now"),
        pytest.param(MINUTE_MS, {"a", "b", "c"}, id="used lately: three times"),
        pytest.param(HOUR_MS, {"a", "b", "c", "d"}, id="used today: four times"),
        pytest.param(2 * 24 * HOUR_MS, {"a", "b", "c", "d", "e"}, id="not used for long: whoever"),
    ],
)
def test_busy_instances_are_spared_models_in_use(unused_ms: int, chosen: set[str]) -> None:
    rpms = {"a": 200, "b": 300, "c": 600, "d": 800, "e": 900}
    mesh = [an_instance(name).busy(rpm) for name, rpm in rpms.items()]
    assert candidates(*mesh, used_ms=NOW_MS - unused_ms) == chosen


def test_nobody_is_busy_with_a_hundred_requests_a_minute() -> None:
    assert candidates(A.busy(0), B.busy(100), used_ms=NOW_MS + 2 * SECOND_MS) == {"a", "b"}


def test_who_is_the_best_alone_is_told() -> None:
    verdict = placed(A, B.full())
    assert isinstance(verdict, Placed)
    assert verdict.because == "no other is as good: it has 0 copies, and 1.0 GiB free"


def test_who_was_sent_much_is_spared() -> None:
    verdict = placed(A, B, pending={InstanceId("a"): 12})
    assert isinstance(verdict, Placed)
    assert verdict.instance == "b"


# Where its copies are.


@pytest.mark.parametrize(
    ("table", "chosen"),
    [
        pytest.param({}, {"a", "b", "c", "d"}, id="no copy"),
        pytest.param(copies(a=loaded()), {"d"}, id="in another zone"),
        pytest.param(copies(a=loading()), {"d"}, id="in another zone than one that is coming"),
        pytest.param(copies(a=loaded(), d=loaded()), {"c"}, id="on another machine"),
        pytest.param(copies(a=loaded(), c=loaded(), d=loaded()), {"b"}, id="where it can"),
        pytest.param(copies(a=failed()), {"b", "c", "d"}, id="a failed load is no copy"),
        pytest.param(copies(e=loaded()), {"a", "b", "c", "d"}, id="one that drains is none soon"),
        pytest.param(copies(z=loaded()), {"a", "b", "c", "d"}, id="one of an instance that is gone"),
    ],
)
def test_copies_spread_over_zones_and_machines(table: dict[InstanceId, CopyRecord], chosen: set[str]) -> None:
    mesh = [
        A.at(zone="z1", location="m1"),
        B.at(zone="z1", location="m1"),
        C.at(zone="z1", location="m2"),
        an_instance("d").at(zone="z2", location="m3"),
        an_instance("e").at(zone="z3", location="m4").draining(),
    ]
    assert candidates(*mesh, copies=table) == chosen


def test_room_counts_for_more_than_another_zone() -> None:
    mesh = [A.at(zone="z1"), B.at(zone="z1"), C.at(zone="z2").full()]
    assert candidates(*mesh, copies=copies(a=loaded())) == {"b"}


def test_where_nobody_names_a_zone_all_are_alike() -> None:
    assert candidates(A, B, C, copies=copies(a=loaded())) == {"b", "c"}


# What its type prefers.


@pytest.mark.parametrize(
    ("instances", "chosen"),
    [
        pytest.param([A, B.labelled("gpu").with_copies(99)], {"b"}, id="though it holds more"),
        pytest.param([A.with_copies(9), B.labelled("gpu"), C.labelled("gpu")], {"b", "c"}, id="several"),
        pytest.param([A, B.labelled("gpu").full()], {"a"}, id="not if it is full"),
        pytest.param(
            [A.full(), B.labelled("gpu").full(unused_ms=45 * MINUTE_MS)],
            {"b"},
            id="full: a quarter of the age",
        ),
        pytest.param(
            [A.full(), B.labelled("gpu").full(unused_ms=44 * MINUTE_MS)], {"a"}, id="full: too recently used"
        ),
        pytest.param(
            [A.full(unused_ms=150_000), B.labelled("gpu").full(unused_ms=30_000)],
            {"b"},
            id="full: two minutes",
        ),
        pytest.param([A, B], {"a", "b"}, id="there is none"),
    ],
)
def test_preferred_instances_come_first(instances: list[AnInstance], chosen: set[str]) -> None:
    rules = constraints(t={"preferred": ["gpu"]})
    assert candidates(*instances, rules=rules, type="t") == chosen


def test_a_type_without_a_preference_keeps_off_what_others_need() -> None:
    rules = constraints(triton={"required": ["gpu"]})
    assert candidates(A, B.labelled("gpu"), rules=rules, type="other") == {"a"}
    assert candidates(A.full(), B.labelled("gpu"), rules=rules, type="other") == {"b"}
