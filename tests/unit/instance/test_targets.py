import pytest

from adapter.domain.errors import InvalidRequest
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelInfo, ModelRecord
from adapter.instance import targets
from adapter.instance.naming import RECORD_KEY, RESOLVED_KEY, Reading
from adapter.instance.targets import Targets
from adapter.registry.encoding import decode_model
from tests.fakes.relay_play import Play
from tests.unit.instance.calls import told, waiting_call
from tests.unit.instance.meshed import AMesh

IRIS, IRIS_IN_1 = ModelId("iris"), b"\x0a\x04iris"
IN_1 = Reading(id_path=(1,), injection_path=(1,))
INTO_1 = Reading(injection_path=(1,))
INTO_1_2 = Reading(injection_path=(1, 2))


def to_runtime(runtime_name: str = "iris-v2") -> tuple[Play, Targets]:
    """One whose runtime has a name of its own for models."""
    play = Play()
    made = Targets(runtime_name=lambda _model: runtime_name, links=None)
    made.runtime = play.upstream
    return play, made


def test_the_runtime_is_told_the_model_in_both_ways() -> None:
    play, made = to_runtime()
    target = made.here(waiting_call(play=play), Reading(), IRIS, "newest", None)
    assert target.upstream is play.upstream
    assert (target.model, target.vmodel, target.to_peer) == ("iris", "newest", False)
    assert told(target) == {"mm-model-id-bin": b"iris", "mm-model-id": "iris"}
    assert (target.message, target.edit) == (None, None)


def test_a_name_that_is_no_ascii_is_told_in_binary() -> None:
    play, made = to_runtime()
    target = made.here(waiting_call(play=play), Reading(), ModelId("ирис"), "", None)
    assert told(target) == {"mm-model-id-bin": "ирис".encode()}


def test_a_name_that_was_found_in_the_message_is_replaced_where_it_stands() -> None:
    play, made = to_runtime()
    call = waiting_call(IRIS_IN_1, play=play)
    target = made.here(call, IN_1, IRIS, "", call.located((1,)))
    assert target.edit == (1, 6, b"\x07iris-v2")
    assert target.message is None


def test_a_message_that_has_the_runtimes_name_already_goes_as_it_came() -> None:
    play, made = to_runtime("iris")
    call = waiting_call(IRIS_IN_1, play=play)
    for found in (call.located((1,)), None):
        target = made.here(call, IN_1, IRIS, "", found)
        assert (target.message, target.edit) == (None, None)


@pytest.mark.parametrize(
    ("reading", "message", "becomes"),
    [
        pytest.param(INTO_1, b"", b"\x0a\x02v2", id="an empty one"),
        pytest.param(INTO_1, b"\x12\x01x", b"\x12\x01x\x0a\x02v2", id="one that names nobody"),
        pytest.param(INTO_1, IRIS_IN_1 + b"\x12\x01x", b"\x0a\x02v2\x12\x01x", id="one with another name"),
        pytest.param(INTO_1_2, b"\x0a\x03\x12\x01a", b"\x0a\x04\x12\x02v2", id="within a part of it"),
    ],
)
def test_a_message_names_the_model_as_the_runtime_wants_it(
    reading: Reading, message: bytes, becomes: bytes
) -> None:
    play, made = to_runtime("v2")
    assert made.here(waiting_call(message, play=play), reading, IRIS, "", None).message == becomes


def test_a_message_that_cannot_be_read_takes_no_name() -> None:
    play, made = to_runtime()
    with pytest.raises(InvalidRequest, match="cannot be read"):
        made.here(waiting_call(b"\x0a\xff", play=play), INTO_1, IRIS, "", None)


def test_what_models_are_called_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "REMEMBERED_MAX", 3)
    monkeypatch.setattr(targets, "REMEMBERED_CHARS_MAX", 20)
    play, made = to_runtime()
    call = waiting_call(play=play)
    for name in ["a" * 50, *map(str, range(10))]:
        assert made.here(call, Reading(), ModelId(name), "", None).model == name
    assert len(made._known) <= 3


async def test_another_instance_is_told_the_model_that_was_found(mesh: AMesh) -> None:
    made, b = mesh["a"].parts.path._sending.targets, InstanceId("b")
    target = made.there(b, IRIS, "newest")
    assert target is not None
    assert target.upstream is mesh["a"].parts.links.upstream(b)
    assert (target.to_peer, target.vmodel) == (True, "newest")
    assert told(target) == {"mm-hops": "1", RESOLVED_KEY: b"iris"}


async def test_one_that_is_to_load_the_model_is_told_the_record_and_remembered(mesh: AMesh) -> None:
    parts, b = mesh["a"].parts, InstanceId("b")
    record = ModelRecord(info=ModelInfo(type="sklearn", path="x"), last_used_ms=7)
    target = parts.path._sending.targets.there(b, IRIS, "", to_load=record)
    assert target is not None
    carried = told(target)[RECORD_KEY]
    assert isinstance(carried, bytes)
    assert decode_model("iris", carried) == record
    assert (parts.links.sent_to(IRIS), parts.links.pending) == (b, {b: 1})
    parts.links.released(target)
    assert (parts.links.sent_to(IRIS), parts.links.pending) == (None, {})


async def test_nothing_is_sent_to_an_instance_that_has_left(mesh: AMesh) -> None:
    assert mesh["a"].parts.path._sending.targets.there(InstanceId("gone"), IRIS, "") is None
