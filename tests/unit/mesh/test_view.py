from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord
from adapter.mesh.view import InstanceState, MeshView
from tests.builders import an_instance, failed, gib, loaded, loading, mib

A, B = InstanceId("a"), InstanceId("b")
IRIS, MNIST = ModelId("iris"), ModelId("mnist")
RECORD = an_instance("a").state.record


def a_view(*instances: InstanceId) -> MeshView:
    view = MeshView()
    for instance in instances:
        view.put_instance(instance, RECORD)
    return view


def test_an_instance_without_copies_is_empty() -> None:
    assert a_view(A).instances == {A: InstanceState(id=A, record=RECORD, copies=0, used_bytes=0, loading=0)}


def test_copies_count_at_once_for_the_instance_that_holds_them() -> None:
    view = a_view(A, B)
    view.put_copy(IRIS, A, loaded(size_bytes=mib(100)))
    view.put_copy(MNIST, A, loading(size_bytes=mib(24)))
    state = view.instances[A]
    assert (state.copies, state.loading, state.used_bytes) == (2, 1, mib(124))
    assert state.free_bytes == gib(1) - mib(124)
    assert view.instances[B].copies == 0


def test_a_failed_load_takes_nothing() -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, failed(size_bytes=mib(100)))
    assert (view.instances[A].copies, view.instances[A].used_bytes) == (0, 0)
    assert view.copies(IRIS)[A].failure


def test_a_failed_load_may_change_when_nothing_else_is_held() -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, failed())
    view.put_copy(MNIST, A, loaded())
    view.drop_copy(MNIST, A)
    view.put_copy(IRIS, A, loaded(size_bytes=mib(1)))
    assert (view.instances[A].copies, view.instances[A].used_bytes) == (1, mib(1))


def test_an_instance_that_says_it_uses_more_is_believed() -> None:
    view = MeshView()
    view.put_instance(A, an_instance("a").with_free(0).state.record)
    view.put_copy(IRIS, A, loaded(size_bytes=mib(1)))
    assert view.instances[A].free_bytes == 0


def test_more_than_the_capacity_leaves_nothing_free() -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, loaded(size_bytes=gib(2)))
    assert view.instances[A].free_bytes == 0


def test_a_copy_that_changes_is_counted_once() -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, loading(size_bytes=mib(10)))
    view.put_copy(IRIS, A, loaded(size_bytes=mib(30)))
    state = view.instances[A]
    assert (state.copies, state.loading, state.used_bytes) == (1, 0, mib(30))


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(lambda view: view.drop_copy(IRIS, A), id="the copy"),
        pytest.param(lambda view: view.reset_copies(), id="all copies"),
    ],
)
def test_what_is_gone_takes_nothing(gone: Callable[[MeshView], None]) -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, loaded(size_bytes=mib(10)))
    assert view.instances[A].copies == 1
    gone(view)
    assert (view.instances[A].copies, view.instances[A].used_bytes) == (0, 0)
    assert not view.copies(IRIS)
    assert list(view.models()) == []


def test_what_was_never_there_can_go() -> None:
    view = a_view(A)
    view.drop_copy(IRIS, A)
    view.drop_instance(B)
    assert list(view.instances) == [A]


def test_copies_are_seen_only_of_instances_that_are_there() -> None:
    view = a_view(A)
    view.put_copy(IRIS, A, loaded())
    view.put_copy(IRIS, B, loaded())
    assert set(view.copies(IRIS)) == {A}
    view.put_instance(B, RECORD)
    assert set(view.copies(IRIS)) == {A, B}
    assert view.instances[B].copies == 1
    view.drop_instance(A)
    assert set(view.copies(IRIS)) == {B}
    assert set(view.instances) == {B}


def test_after_a_reset_there_are_these_instances_and_no_others() -> None:
    view = a_view(A)
    assert set(view.instances) == {A}
    view.reset_instances({B: RECORD})
    assert set(view.instances) == {B}


def test_what_was_handed_out_stays_as_it_was() -> None:
    view = a_view(A)
    before = view.instances
    view.put_copy(IRIS, A, loaded())
    view.put_instance(B, RECORD)
    assert (view.instances[A].copies, len(view.instances)) == (1, 2)
    assert (before[A].copies, len(before)) == (0, 1)
    assert view.instances is view.instances


def test_it_names_what_it_sees_by_numbers() -> None:
    assert repr(a_view(A, B)) == "<MeshView 2 instances, copies of 0 models>"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "join", "leave", "look", "forget", "reset"]),
        st.sampled_from([A, B, InstanceId("c")]),
        st.sampled_from([IRIS, MNIST]),
        st.sampled_from([loaded(size_bytes=3), loading(size_bytes=5), failed(size_bytes=7)]),
    ),
    max_size=30,
)


def do(view: MeshView, step: tuple[str, InstanceId, ModelId, CopyRecord]) -> None:
    kind, instance, model, record = step
    match kind:
        case "put":
            view.put_copy(model, instance, record)
        case "drop":
            view.drop_copy(model, instance)
        case "join":
            view.put_instance(instance, RECORD)
        case "leave":
            view.drop_instance(instance)
        case "forget":
            view.reset_copies()
        case "reset":
            view.reset_instances({instance: RECORD})
        case _:
            assert view.instances is not None


@given(STEPS)
def test_whatever_happens_the_sums_are_those_of_the_copies(
    steps: list[tuple[str, InstanceId, ModelId, CopyRecord]],
) -> None:
    view, fresh = MeshView(), MeshView()
    for step in steps:
        do(view, step)
    for instance in view.instances:
        fresh.put_instance(instance, RECORD)
    for model in view.models():
        for instance, record in view.copies(model).items():
            fresh.put_copy(model, instance, record)
    assert view.instances == fresh.instances
