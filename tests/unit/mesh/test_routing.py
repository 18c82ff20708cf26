import json
from collections import Counter
from typing import Any

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyState
from adapter.mesh.constraints import NO_CONSTRAINTS, TypeConstraints
from adapter.mesh.routing import route, served_here
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Reject, Route, ServeHere
from tests.builders import (
    NOW_MS,
    AnInstance,
    a_mesh,
    an_instance,
    copies,
    failed,
    flights,
    loaded,
    loading,
    wanted,
)

MESH = "abcde"
DRAINING_A = [an_instance("a").draining(), *"bcde"]
TRITON = TypeConstraints.parse(json.dumps({"rt:triton": {"required": ["gpu"]}}))


def routed(
    *instances: AnInstance | str,
    in_flight: dict[str, int] | None = None,
    draws: tuple[int, ...] = (),
    rules: TypeConstraints = NO_CONSTRAINTS,
    **fields: Any,
) -> Route:
    """At instance a, of these five unless said otherwise."""
    left = list(draws)
    verdict = route(
        wanted(**fields),
        a_mesh(*(instances or MESH)),
        rules,
        in_flight=flights(**(in_flight or {})),
        draw=lambda n: left.pop(0) % n if left else 0,
        now_ms=NOW_MS,
    )
    assert not left, "it draws less often"
    return verdict


def short(verdict: Route) -> str:
    """`here`, the name of the instance that answers, `load here`, or `load` and its name."""
    match verdict:
        case ServeHere():
            return "here"
        case ForwardTo(instance=instance):
            return instance
        case LoadHere():
            return "load here"
        case LoadAt(instance=instance):
            return f"load {instance}"
        case Reject(code=code):
            return code.name


# There is a copy.


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        pytest.param({"copies": copies(a=loaded())}, "here", id="loaded here"),
        pytest.param({"held_here": CopyState.LOADED}, "here", id="loaded here a moment ago"),
        pytest.param({"copies": copies(b=loaded())}, "b", id="loaded elsewhere"),
        pytest.param({"copies": copies(a=loaded(), b=loading())}, "here", id="loaded here, coming elsewhere"),
        pytest.param({"copies": copies(a=loading(), b=loaded())}, "b", id="coming here, loaded elsewhere"),
        pytest.param({"copies": copies(a=loading())}, "here", id="coming here"),
        pytest.param(
            {"copies": copies(a=loading(for_ms=1), b=loading(for_ms=9))}, "here", id="coming here too"
        ),
        pytest.param(
            {"copies": copies(b=loading(for_ms=1), c=loading(for_ms=9), d=loading(for_ms=5))},
            "c",
            id="coming elsewhere: the one that began first",
        ),
        pytest.param(
            {"copies": copies(c=loading(), b=loading())}, "b", id="coming elsewhere: began together"
        ),
        pytest.param(
            {"copies": copies(a=loading(), b=loaded()), "balanced": True}, "b", id="balanced, coming here"
        ),
        pytest.param({"copies": copies(a=failed(), b=loaded())}, "b", id="failed here, loaded elsewhere"),
        pytest.param(
            {"copies": copies(a=loaded(), b=loaded()), "excluded": {"a": "gone"}}, "b", id="tried here"
        ),
        pytest.param(
            {"copies": copies(b=loaded(), c=loaded()), "excluded": {"b": "gone"}}, "c", id="tried elsewhere"
        ),
        pytest.param(
            {"copies": copies(a=loading(), b=loading()), "excluded": {"a": "gone"}}, "b", id="waited here"
        ),
        pytest.param({"copies": copies(z=loaded(), b=loading())}, "b", id="loaded in one that has left"),
    ],
)
def test_where_there_is_a_copy_it_answers(fields: dict[str, Any], answers: str) -> None:
    assert short(routed(**fields)) == answers


@pytest.mark.parametrize(
    ("in_flight", "answers"),
    [
        pytest.param({"a": 2, "b": 3}, "here", id="less here"),
        pytest.param({"a": 2, "b": 2}, "here", id="as much: the way is saved"),
        pytest.param({"a": 2, "b": 1}, "b", id="less there"),
    ],
)
def test_of_the_copy_here_and_another_the_less_loaded_answers(
    in_flight: dict[str, int], answers: str
) -> None:
    assert short(routed(copies=copies(a=loaded(), b=loaded()), in_flight=in_flight)) == answers


def test_a_caller_that_spreads_its_calls_is_answered_by_the_copy_here() -> None:
    verdict = routed(copies=copies(a=loaded(), b=loaded()), in_flight={"a": 9}, balanced=True)
    assert short(verdict) == "here"


@pytest.mark.parametrize(
    ("draws", "in_flight", "answers"),
    [
        pytest.param((0, 0), {"b": 2, "c": 1, "d": 0}, "c", id="first and second"),
        pytest.param((0, 1), {"b": 2, "c": 1, "d": 3}, "b", id="first and third"),
        pytest.param((2, 1), {"b": 0, "c": 1, "d": 1}, "d", id="third and second, alike"),
    ],
)
def test_of_many_copies_elsewhere_two_are_drawn(
    draws: tuple[int, ...], in_flight: dict[str, int], answers: str
) -> None:
    held = copies(b=loaded(), c=loaded(), d=loaded())
    assert short(routed(copies=held, in_flight=in_flight, draws=draws)) == answers


def test_of_two_copies_elsewhere_the_less_loaded_answers() -> None:
    held = copies(b=loaded(), c=loaded())
    assert short(routed(copies=held, in_flight={"b": 1}, draws=(1,))) == "c"
    assert short(routed(copies=held, in_flight={"b": 1}, draws=(0,))) == "c"


@pytest.mark.parametrize("draw", range(3))
def test_the_copy_here_is_compared_with_any_of_the_others(draw: int) -> None:
    held = copies(b=loaded(), a=loaded(), c=loaded(), d=loaded())
    assert short(routed(copies=held, in_flight={"a": 1}, draws=(draw,))) == "bcd"[draw]


@pytest.mark.parametrize(
    ("instances", "fields", "answers"),
    [
        pytest.param("b", {"copies": copies(b=loaded())}, "b", id="nobody else holds it"),
        pytest.param("b", {"copies": copies(b=loaded(), c=loaded())}, "c", id="somebody else does"),
        pytest.param("b", {"copies": copies(b=loaded(), c=loading())}, "b", id="somebody else will"),
        pytest.param("b", {"copies": copies(b=loading(for_ms=9), c=loading())}, "c", id="both load it"),
        pytest.param("b", {"copies": copies(b=loading())}, "b", id="nobody else loads it"),
        pytest.param("a", {"copies": copies(a=loaded())}, "here", id="this one, and nobody else holds it"),
        pytest.param("a", {"copies": copies(a=loaded(), b=loaded())}, "b", id="this one"),
        pytest.param(
            "a", {"copies": copies(a=loaded(), b=loaded()), "balanced": True}, "here", id="this one, balanced"
        ),
        pytest.param("ab", {"copies": copies(a=loaded(), b=loaded())}, "here", id="all that hold it"),
    ],
)
def test_who_drains_still_answers_if_it_must(instances: str, fields: dict[str, Any], answers: str) -> None:
    mesh = [an_instance(name).draining() if name in instances else an_instance(name) for name in MESH]
    assert short(routed(*mesh, **fields)) == answers


# There is none.


def test_a_cold_model_is_loaded_where_it_belongs() -> None:
    verdicts = Counter(short(routed(model=f"m{n}")) for n in range(100))
    assert set(verdicts) == {"load here", "load b", "load c", "load d", "load e"}


def test_why_it_is_loaded_there_is_told() -> None:
    assert routed("a") == LoadHere("the only instance that may hold it")
    assert routed("a", an_instance("b"), copies=copies(a=failed())) == LoadAt(
        InstanceId("b"), "the only instance that may hold it"
    )


def test_a_caller_that_spreads_its_calls_has_it_loaded_here() -> None:
    assert {short(routed(model=f"m{n}", balanced=True)) for n in range(20)} == {"load here"}


def test_while_it_is_on_its_way_somewhere_it_is_sent_nowhere_else() -> None:
    sent = [routed(model=f"m{n}", sent_to=InstanceId("d")) for n in range(20)]
    assert {short(verdict) for verdict in sent} == {"load d"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"excluded": {"d": "gone"}}, id="tried"),
        pytest.param({"copies": copies(d=failed())}, id="failed"),
    ],
)
def test_unless_that_was_in_vain(fields: dict[str, Any]) -> None:
    verdict = short(routed(sent_to=InstanceId("d"), **fields))
    assert verdict.startswith("load")
    assert verdict != "load d"


def test_who_was_tried_is_not_tried_again() -> None:
    excluded: dict[str, str] = {}
    for _ in MESH:
        verdict = short(routed(excluded=excluded)).removeprefix("load ").replace("here", "a")
        assert verdict not in excluded
        excluded[verdict] = "INTERNAL: no"
    assert set(excluded) == set(MESH)
    assert routed(excluded=excluded) == Reject(Code.INTERNAL, "no")


# Nobody can answer.


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        pytest.param(
            {"copies": copies(b=failed(), c=failed(), d=failed("DATA_LOSS: cut short", ago_ms=1))},
            Reject(Code.DATA_LOSS, "cut short; its load failed in 3 instances; tried again in 10 min"),
            id="failed three times",
        ),
        pytest.param(
            {"copies": copies(b=failed("FAILED_PRECONDITION: no object", everywhere=True))},
            Reject(
                Code.FAILED_PRECONDITION,
                "no object; it would fail alike in every instance; tried again in 10 min",
            ),
            id="fails everywhere",
        ),
        pytest.param(
            {"copies": copies(b=failed(crashes=1), c=failed(crashes=1))},
            Reject(
                Code.FAILED_PRECONDITION,
                "quarantined: the runtime ended twice while loading or answering it "
                "(last: the runtime said no); tried again in 10 min; re-register it to lift that",
            ),
            id="quarantined",
        ),
        pytest.param(
            {
                "copies": copies(**dict.fromkeys("bcdef", loaded())),
                "excluded": dict.fromkeys("bcdef", "gone"),
            },
            Reject(Code.UNAVAILABLE, "f: gone"),
            id="five hold it, and none answers",
        ),
        pytest.param(
            {"excluded": {"a": "INTERNAL: no", "b": "it hung up", **dict.fromkeys("cdef", "gone")}},
            Reject(Code.INTERNAL, "no"),
            id="what a load said comes first",
        ),
        pytest.param(
            {"copies": copies(a=failed("DATA_LOSS: bad")), "excluded": dict.fromkeys("bcdef", "gone")},
            Reject(Code.DATA_LOSS, "bad; tried again in 10 min"),
            id="then what an earlier load said",
        ),
        pytest.param(
            {"excluded": dict.fromkeys("bcdefa", "gone")},
            Reject(Code.UNAVAILABLE, "a: gone"),
            id="then what was tried last",
        ),
        pytest.param(
            {"type": "rt:triton"},
            Reject(
                Code.RESOURCE_EXHAUSTED,
                "There are no running instances that meet the label requirements of type rt:triton: [gpu]",
            ),
            id="nobody may hold it",
        ),
    ],
)
def test_when_nobody_can_answer_the_reason_is_told(fields: dict[str, Any], verdict: Reject) -> None:
    assert routed(*"abcdef", rules=TRITON, **fields) == verdict


def test_failures_do_not_matter_while_a_copy_answers() -> None:
    table = copies(b=failed(crashes=2), c=failed(everywhere=True), d=failed(), e=loaded())
    assert short(routed(copies=table)) == "e"


def test_four_that_do_not_answer_are_no_reason_to_give_up() -> None:
    table = copies(**dict.fromkeys("bcde", loaded()))
    assert short(routed(copies=table, excluded=dict.fromkeys("bcde", "gone"))) == "load here"


def test_the_fifth_may_be_this_instance() -> None:
    table = copies(**dict.fromkeys("abcde", loaded()))
    verdict = routed(*"abcdef", copies=table, excluded=dict.fromkeys("abcde", "gone"))
    assert short(verdict) == "UNAVAILABLE"


# A call that another instance has sent here.


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        pytest.param({}, LoadHere("another instance chose this one"), id="nothing is here"),
        pytest.param({"held_here": CopyState.LOADED}, LoadHere("it is here already"), id="loaded"),
        pytest.param({"held_here": CopyState.LOADING}, LoadHere("it is here already"), id="coming"),
        pytest.param(
            {"copies": copies(b=loaded())}, LoadHere("another instance chose this one"), id="elsewhere"
        ),
        pytest.param(
            {"copies": copies(b=failed())}, LoadHere("another instance chose this one"), id="failed elsewhere"
        ),
        pytest.param(
            {"copies": copies(a=failed("DATA_LOSS: bad"))},
            Reject(Code.DATA_LOSS, "bad; tried again in 10 min"),
            id="failed here",
        ),
        pytest.param(
            {"copies": copies(b=failed("DATA_LOSS: bad", everywhere=True))},
            Reject(Code.DATA_LOSS, "bad; it would fail alike in every instance; tried again in 10 min"),
            id="fails everywhere",
        ),
        pytest.param(
            {"type": "rt:triton"},
            Reject(Code.RESOURCE_EXHAUSTED, "a: it lacks the labels [gpu] that type rt:triton requires"),
            id="may not be here",
        ),
        pytest.param(
            {"here": "z"}, LoadHere("another instance chose this one"), id="the table lacks this instance"
        ),
    ],
)
def test_what_another_instance_sent_is_loaded_here_or_not_at_all(
    fields: dict[str, Any], verdict: LoadHere | Reject
) -> None:
    assert served_here(wanted(**fields), a_mesh(*MESH), TRITON, now_ms=NOW_MS) == verdict


def test_who_drains_loads_nothing_for_others() -> None:
    verdict = served_here(wanted(), a_mesh(*DRAINING_A), NO_CONSTRAINTS, now_ms=NOW_MS)
    assert verdict == Reject(Code.UNAVAILABLE, "a: it drains")
    held = wanted(held_here=CopyState.LOADED)
    assert served_here(held, a_mesh(*DRAINING_A), NO_CONSTRAINTS, now_ms=NOW_MS) == LoadHere(
        "it is here already"
    )
