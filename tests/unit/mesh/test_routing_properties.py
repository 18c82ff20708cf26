"""What holds of every verdict, whatever the mesh looks like."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.constraints import TypeConstraints, TypeRule
from adapter.mesh.placement import place
from adapter.mesh.routing import route, served_here
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Placed, Refused, Reject, Route, ServeHere
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted import Wanted
from tests.builders import HOUR_MS, MINUTE_MS, NOW_MS, an_instance, failed, gib, loaded, loading, mib

Mesh = dict[InstanceId, InstanceState]

NAMES = ["a", "b", "c", "8f6c7b-x7k2p", "8f6c7b-m4n5b", "5d8f6c-zz9ww", "5d8f6c-kk2jj"]
RULES = TypeConstraints(
    {
        "t": TypeRule(required=("cpu",)),
        "u": TypeRule(preferred=("gpu",)),
        "v": TypeRule(required=("gpu",), preferred=("cpu",)),
    }
)
TIMES_MS = st.sampled_from([NOW_MS - 24 * HOUR_MS, NOW_MS - HOUR_MS, NOW_MS - MINUTE_MS, NOW_MS + HOUR_MS])

INSTANCES = st.builds(
    lambda name, free, copies, rpm, loads, fields: (
        an_instance(name).with_free(free).with_copies(copies).busy(rpm).loading(loads).but(**fields)
    ),
    st.sampled_from(NAMES),
    st.sampled_from([0, mib(30), mib(400), gib(1)]),
    st.integers(0, 30),
    st.integers(0, 1_000),
    st.integers(0, 9),
    st.fixed_dictionaries(
        {
            "draining": st.sampled_from([False, False, True]),
            "labels": st.sampled_from([(), ("cpu",), ("gpu",), ("cpu", "gpu")]),
            "zone": st.sampled_from(["", "z1", "z2"]),
            "location": st.sampled_from(["m1", "m2"]),
            "version": st.sampled_from(["", "x-20240101-1", "x-20240201-1"]),
            "coldest_ms": TIMES_MS,
            "started_ms": TIMES_MS,
            "capacity_bytes": st.sampled_from([0, gib(1), gib(2)]),
        }
    ),
)
MESHES = st.lists(INSTANCES, min_size=1, max_size=7, unique_by=lambda each: each.id).map(
    lambda built: {each.id: each.state for each in built}
)
COPIES = st.dictionaries(
    st.sampled_from(NAMES).map(InstanceId),
    st.sampled_from([loaded(), loading(), failed(), failed(expires_ms=0), failed(crashes=1)]),
    max_size=4,
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Wanted, Mesh]:
    mesh = draw(MESHES)
    copies: dict[InstanceId, CopyRecord] = draw(COPIES)
    here = draw(st.sampled_from(sorted(mesh)))
    own = copies.get(here)
    question = Wanted(
        model=ModelId(draw(st.sampled_from(["iris", "mnist", "churn"]))),
        type=draw(st.sampled_from(["t", "u", "v", "w"])),
        copies=copies,
        here=here,
        held_here=None if own is None else own.state,
        excluded=dict.fromkeys(draw(st.sets(st.sampled_from(sorted(mesh)))), "gone"),
        balanced=draw(st.booleans()),
        used_ms=draw(TIMES_MS),
        size_bytes=draw(st.sampled_from([0, mib(50), int(gib(1.5))])),
    )
    return question, mesh


def routed(question: Wanted, mesh: Mesh, seed: int = 0) -> Route:
    rng = random.Random(seed)
    return route(question, mesh, RULES, in_flight=len, draw=rng.randrange, now_ms=NOW_MS)


def shuffled(mesh: Mesh, seed: int) -> Mesh:
    items = list(mesh.items())
    random.Random(seed).shuffle(items)
    return dict(items)


def assert_may_hold(question: Wanted, mesh: Mesh, instance: InstanceId) -> None:
    state = mesh[instance]
    copy = question.copies.get(instance)
    assert instance not in question.excluded
    assert not state.record.draining
    assert not RULES.missing(question.type, state.record.labels)
    assert question.size_bytes <= state.record.capacity_bytes > 0
    assert copy is None or (copy.state is CopyState.FAILED and copy.until_ms <= NOW_MS)


@given(questions())
def test_a_copy_goes_only_where_it_may(asked: tuple[Wanted, Mesh]) -> None:
    question, mesh = asked
    verdict = place(question, mesh, RULES, now_ms=NOW_MS)
    if isinstance(verdict, Placed):
        assert_may_hold(question, mesh, verdict.instance)
        assert verdict.instance not in verdict.refused
    else:
        assert isinstance(verdict, Refused)
        assert set(verdict.refused) == set(mesh)
    assert all(verdict.refused.values())
    assert verdict.because


@given(questions(), st.integers(0, 99))
def test_every_instance_with_the_same_view_chooses_the_same_place(
    asked: tuple[Wanted, Mesh], seed: int
) -> None:
    question, mesh = asked
    question = replace(question, balanced=False)
    verdict = place(question, mesh, RULES, now_ms=NOW_MS)
    assert place(question, shuffled(mesh, seed), RULES, now_ms=NOW_MS) == verdict
    for here in mesh:
        own = question.copies.get(here)
        elsewhere = replace(question, here=here, held_here=None if own is None else own.state)
        found = place(elsewhere, mesh, RULES, now_ms=NOW_MS)
        if isinstance(verdict, Placed):
            assert isinstance(found, Placed)
            assert found.instance == verdict.instance


@given(questions(), st.integers(0, 99))
def test_a_request_goes_only_where_it_is_answered(asked: tuple[Wanted, Mesh], seed: int) -> None:
    question, mesh = asked
    verdict = routed(question, mesh, seed)
    match verdict:
        case ServeHere():
            assert question.here not in question.excluded
            assert question.held_here in {CopyState.LOADED, CopyState.LOADING}
        case ForwardTo(instance=instance):
            assert instance != question.here
            assert instance in mesh
            assert instance not in question.excluded
            assert question.copies[instance].state is not CopyState.FAILED
        case LoadHere():
            assert_may_hold(question, mesh, question.here)
        case LoadAt(instance=instance):
            assert instance != question.here
            assert_may_hold(question, mesh, instance)
        case Reject(text=text):
            assert text
    assert routed(question, mesh, seed) == verdict


@given(questions(), st.integers(0, 99))
def test_a_copy_that_can_answer_does(asked: tuple[Wanted, Mesh], seed: int) -> None:
    question, mesh = asked
    able = {
        id_
        for id_, copy in question.copies.items()
        if copy.state is CopyState.LOADED and id_ in mesh and id_ not in question.excluded
    }
    verdict = routed(question, shuffled(mesh, seed), seed)
    if not able:
        return
    answers = verdict.instance if isinstance(verdict, ForwardTo) else question.here
    assert isinstance(verdict, ServeHere | ForwardTo)
    assert answers in able
    staying = {id_ for id_ in able if not mesh[id_].record.draining}
    assert not staying or answers in staying or question.balanced


@given(questions())
def test_a_call_that_was_sent_here_is_loaded_only_where_the_model_may_be(asked: tuple[Wanted, Mesh]) -> None:
    question, mesh = asked
    verdict = served_here(question, mesh, RULES, now_ms=NOW_MS)
    if isinstance(verdict, LoadHere) and question.held_here in {None, CopyState.FAILED}:
        assert_may_hold(question, mesh, question.here)
