from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyRules, CopyState, ModelInfo, ModelRecord, VModelRecord
from adapter.mesh.departures import Departure, Gone, evicted
from adapter.mesh.explain_facts import Alias, ExplainedCopy, Facts, Recalled, State
from adapter.mesh.explaining import explain
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Placed, Refused, Reject, Route, ServeHere
from tests.unit.mesh.scaling_builders import GIB, HOUR_MS, MIB, NOW_MS, a_copy, a_failure, an_instance

A, B, C = InstanceId("a"), InstanceId("b"), InstanceId("c")
RECORD = ModelRecord(info=ModelInfo(type="rt:sklearn"), last_used_ms=NOW_MS - 6 * HOUR_MS)


def facts(copies: Mapping[InstanceId, CopyRecord] | None = None, **changes: object) -> Facts:
    """Of the model m, registered, in a mesh of a and b."""
    of = Facts(
        name="m",
        model="m",
        record=RECORD,
        here=A,
        now_ms=NOW_MS,
        copies=copies or {},
        instances={id_: an_instance(id_) for id_ in (A, B)},
    )
    return replace(of, **changes)  # type: ignore[arg-type] # any of its fields


def told(of: Facts) -> tuple[State, str, str]:
    answer = explain(of)
    return answer.state, answer.cause, answer.cure


# Names.


def test_a_name_that_is_not_registered() -> None:
    assert told(facts(model="", record=None)) == (
        State.UNREGISTERED,
        "Nothing is registered under the name m.",
        "Register it with registerModel.",
    )


def test_names_much_like_it_are_offered() -> None:
    cure = explain(facts(model="", record=None, similar=("m1", "m2", "m3", "m4"))).cure
    assert cure == "Register it with registerModel, or ask for what may have been meant: m1, m2 and m3."


def test_an_alias_of_a_model_that_is_gone() -> None:
    alias = Alias(record=VModelRecord(active="m", target="m"))
    assert told(facts(name="v", record=None, alias=alias)) == (
        State.UNREGISTERED,
        "The alias v stands for the model m, which is not registered.",
        "Register m, or set the alias to another model with setVModel.",
    )


# Where it is.


def test_a_loaded_model_says_where_and_why_there() -> None:
    recalled = {B: Recalled(state="active", since="it had the most room", size_bytes=MIB)}
    answer = explain(facts({B: a_copy()}, recalled=recalled))
    assert (answer.state, answer.cause) == (
        State.LOADED,
        "m is loaded in b (in b, because it had the most room).",
    )
    assert answer.cure.startswith("Nothing need be done; registered with minCopies or pin")
    assert answer.copies == (
        ExplainedCopy(
            instance=B,
            state="active",
            because="it had the most room",
            since_ms=NOW_MS - HOUR_MS,
            size_bytes=10 * MIB,
        ),
    )


def test_a_loaded_model_that_is_kept_loaded_and_failed_elsewhere() -> None:
    record = replace(RECORD, rules=CopyRules(copies_min=1))
    assert told(facts({A: a_copy(), B: a_failure()}, record=record)) == (
        State.LOADED,
        "m is loaded in a; its load failed in b: DATA_LOSS: the file is cut off.",
        "Nothing need be done: its registration keeps it loaded.",
    )


def test_a_model_that_is_being_loaded_says_since_when_and_what_comes_before_it() -> None:
    recalled = {A: Recalled(state="queued", since="3 loads come before it")}
    assert told(facts({A: a_copy(CopyState.LOADING, age_ms=12_000)}, recalled=recalled)) == (
        State.LOADING,
        "m is being loaded in a (queued, asked for 12 s ago: 3 loads come before it).",
        "It will be there soon; calls wait for it.",
    )


# Why it is cold.


def test_a_model_that_nobody_asked_for() -> None:
    assert told(facts()) == (
        State.COLD,
        "No instance holds m, and none remembers that it was asked for; its last use is noted as 6 h ago.",
        "The next call loads it; ensureLoaded loads it before, and minCopies keeps it loaded.",
    )


def test_a_model_that_was_evicted_a_moment_ago() -> None:
    departed = str(evicted(ModelId("n"), uses=4, load_s=0.5, size_bytes=20 * MIB))
    recalled = {
        A: Recalled(departed="left", departed_ms=NOW_MS - HOUR_MS),
        B: Recalled(departed=departed, departed_ms=NOW_MS - 90_000, size_bytes=20 * MIB),
    }
    assert told(facts(recalled=recalled)) == (
        State.COLD,
        (
            "The last copy of m, in b, was evicted to make room for n, as the least valuable copy that was "
            "not in use (used 4 times, 500 ms to load, 20.0 MiB), 90 s ago."
        ),
        (
            "The next call loads it again; to keep it, raise the memory for models (CONTAINER_MEM_REQ_BYTES) "
            "by 20.0 MiB, or register it with minCopies or pin."
        ),
    )


@pytest.mark.parametrize("why", [Gone.SURPLUS, Gone.UNLOADED, Gone.RESTARTED], ids=lambda why: why.name)
def test_a_model_whose_copy_went_otherwise(why: Gone) -> None:
    gone = Departure(why=why)
    state, cause, cure = told(facts(recalled={A: Recalled(departed=str(gone), departed_ms=NOW_MS - 500)}))
    assert (state, cause) == (State.COLD, f"The last copy of m, in a, {gone.sentence}, a moment ago.")
    assert cure.startswith("The next call loads it")


# Why it cannot be loaded.


def test_a_model_that_fits_nowhere() -> None:
    instances = {
        A: an_instance("a", capacity_bytes=MIB),
        B: an_instance("b"),
        C: an_instance("c", capacity_bytes=9 * GIB),
    }
    of = facts(
        instances=instances, lacking={C: ("rt:sklearn",)}, size_bytes=GIB * 3 // 2, overhead_bytes=GIB // 4
    )
    assert told(of) == (
        State.FITS_NOWHERE,
        (
            "m needs 1.5 GiB, and the biggest instance that may hold it, b, has 1.0 GiB for all of its "
            "models, 512.0 MiB less."
        ),
        (
            "Set CONTAINER_MEM_REQ_BYTES of an instance to 1879048192 (1.8 GiB) or more, or make the model "
            "smaller."
        ),
    )


def test_no_instance_with_the_labels() -> None:
    answer = explain(facts(lacking={A: ("rt:sklearn",), B: ("rt:sklearn", "gpu")}))
    assert answer.state is State.NO_INSTANCE
    assert answer.cause == (
        "No instance has all the labels that models of type rt:sklearn require, as m is one; "
        "missing are gpu and rt:sklearn."
    )
    assert "MM_LABELS" in answer.cure
    assert answer.refused == ("a: lacks the labels rt:sklearn", "b: lacks the labels rt:sklearn and gpu")


def test_no_instance_at_all() -> None:
    assert told(facts(instances={}))[:2] == (State.NO_INSTANCE, "There is no instance that could load m.")
    leaving = {A: an_instance("a", draining=True)}
    assert (
        explain(facts(instances=leaving)).cause
        == "There is no instance that could load m: all that there are leave."
    )


def test_a_load_that_failed_says_with_what_where_and_when_it_is_tried_again() -> None:
    assert told(facts({B: a_failure()})) == (
        State.FAILED,
        (
            "The load of m failed in b 5.0 s ago with DATA_LOSS: the file is cut off; it is tried there "
            "again in 60 s, and elsewhere at the next call."
        ),
        "Put sound files in the place of those that cannot be read.",
    )


def test_a_load_that_fails_alike_everywhere() -> None:
    cause = explain(facts({B: a_failure(everywhere=True)})).cause
    assert cause.endswith("; it would fail alike everywhere, and is tried again in 60 s.")


def test_a_load_that_failed_too_often() -> None:
    failed = {A: a_failure(), B: a_failure(lasts_ms=9_000), C: a_failure()}
    assert explain(facts(failed)).cause.endswith("; it failed in 3 instances, and is tried again in 9.0 s.")


def test_a_failure_that_is_over_is_not_told() -> None:
    assert explain(facts({B: a_failure(lasts_ms=0)})).state is State.COLD


def test_a_model_on_which_runtimes_ended_is_quarantined() -> None:
    assert told(facts({A: a_failure(crashes=1), B: a_failure(crashes=1)})) == (
        State.QUARANTINED,
        (
            "m is quarantined, since the runtime ended twice while it loaded or answered it (in a and b); it "
            "is tried again in 60 s."
        ),
        "Mend the model's files, then unregister and register it, which forgets that the runtime ended.",
    )


# Aliases.


def alias(target: str = "m", **changes: object) -> Alias:
    vmodel = replace(VModelRecord(active="m", target=target), **changes)  # type: ignore[arg-type]
    return Alias(record=vmodel)


def test_an_alias_says_what_it_stands_for() -> None:
    assert explain(facts({A: a_copy()}, name="v", alias=alias())).cause == "v stands for m: m is loaded in a."
    beside = alias(canary="n", canary_percent=10, shadow="s")
    assert explain(facts({A: a_copy()}, name="v", alias=beside)).cause == (
        "v stands for m (10 % of the calls go to n, and s is sent a copy of each): m is loaded in a."
    )


def test_an_alias_that_moves_says_what_it_waits_for() -> None:
    moving = replace(alias("n"), target_copies={B: a_copy(CopyState.LOADING)})
    assert told(facts({A: a_copy()}, name="v", alias=moving)) == (
        State.MOVING,
        "v stands for m until its target n has as many copies loaded; that one is loading.",
        "It moves by itself; setVModel with force moves it at once.",
    )
    assert "that one is not loaded yet" in explain(facts(name="v", alias=alias("n"))).cause


@pytest.mark.parametrize(
    "stuck",
    [
        pytest.param(
            replace(alias("n", failed=True), target_copies={B: a_failure()}), id="by the table of copies"
        ),
        pytest.param(
            replace(alias("n", failed=True), failure="DATA_LOSS: the file is cut off"), id="as remembered"
        ),
    ],
)
def test_an_alias_that_could_not_move_says_why(stuck: Alias) -> None:
    assert told(facts({A: a_copy()}, name="v", alias=stuck)) == (
        State.STUCK,
        "v still stands for m, since the load of its target n failed with DATA_LOSS: the file is cut off.",
        (
            "Put sound files in the place of those that cannot be read; then set the alias to n again with "
            "setVModel, or back to m."
        ),
    )


def test_a_model_that_cannot_be_loaded_matters_more_than_that_its_alias_moves() -> None:
    state, cause, _ = told(facts({B: a_failure()}, name="v", alias=alias("n")))
    assert state is State.FAILED
    assert cause.startswith("v stands for m, and is to move to n: The load of m failed in b")


# What comes next.


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (ServeHere("x"), "answered by a: x"),
        (ForwardTo(B, "x"), "forwarded to b: x"),
        (LoadHere("x"), "loaded in a: x"),
        (LoadAt(B, "x"), "loaded in b: x"),
        (Reject(Code.NOT_FOUND, "x"), "refused with NOT_FOUND: x"),
        (None, ""),
    ],
    ids=["here", "there", "load here", "load there", "refused", "unknown"],
)
def test_where_the_next_call_goes(route: Route | None, words: str) -> None:
    assert explain(facts(route=route)).next == words


@pytest.mark.parametrize(
    "placement",
    [
        Placed(instance=A, because="x", refused={B: "it is full"}),
        Refused(code=Code.RESOURCE_EXHAUSTED, because="x", refused={B: "it is full"}),
    ],
    ids=["placed", "refused"],
)
def test_who_may_not_load_it_is_told(placement: Placed | Refused) -> None:
    of = facts(placement=placement, instances={i: an_instance(i) for i in (A, B, C)}, lacking={C: ("gpu",)})
    assert explain(of).refused == ("b: it is full", "c: lacks the labels gpu")


COPIES = st.sampled_from(
    [a_copy(), a_copy(CopyState.LOADING), a_failure(), a_failure(everywhere=True), a_failure(crashes=2)]
)


@given(
    copies=st.dictionaries(st.sampled_from([A, B, C]), COPIES),
    lacking=st.dictionaries(st.sampled_from([A, B]), st.just(("gpu",))),
    size_bytes=st.sampled_from([0, MIB, 2 * GIB]),
    aliased=st.sampled_from([None, alias(), alias("n"), alias("n", failed=True)]),
    recalled=st.dictionaries(
        st.sampled_from([A, B]), st.just(Recalled(departed="evicted: x", departed_ms=1))
    ),
    registered=st.booleans(),
)
def test_whatever_is_the_case_there_is_a_cause_and_a_cure(
    copies: Mapping[InstanceId, CopyRecord],
    lacking: Mapping[InstanceId, tuple[str, ...]],
    size_bytes: int,
    aliased: Alias | None,
    recalled: Mapping[InstanceId, Recalled],
    registered: bool,
) -> None:
    answer = explain(
        facts(
            copies,
            lacking=lacking,
            size_bytes=size_bytes,
            alias=aliased,
            recalled=recalled,
            record=RECORD if registered else None,
        )
    )
    for sentence in (answer.cause, answer.cure):
        assert sentence.endswith(".")
        assert ". " not in sentence
    assert registered is (answer.state is not State.UNREGISTERED)
