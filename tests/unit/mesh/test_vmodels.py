from dataclasses import replace
from typing import Any

import pytest

from adapter.domain.errors import (
    AdapterError,
    InvalidRequest,
    ModelExists,
    ModelNotFound,
    RecordUnreadable,
    Refused,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo, ModelRecord, VModelRecord
from adapter.mesh.vmodel_states import Cause
from adapter.mesh.vmodels import (
    AGE_WHEN_CREATED_MS,
    AGE_WHEN_LOADED_NOW_MS,
    CopyCounts,
    Held,
    SetVModel,
    Split,
    Writes,
    can_move,
    check_asked,
    chosen,
    copies_wanted,
    delete_vmodel,
    moved,
    set_vmodel,
)

A, B, C, D = (ModelId(name) for name in "abcd")
INFO = ModelInfo(type="t", path="p")
NOW_MS = 1_767_225_600_000
BUSY = CopyCounts(active=1, target=0)
"""The active model has a copy, the target none."""
UNREADABLE = RecordUnreadable("the record is broken")


def a_model(references: int = 0, **fields: Any) -> ModelRecord:
    return ModelRecord(info=INFO, references=references, **fields)


def held(vmodel: VModelRecord | RecordUnreadable | None = None, **models: Any) -> Held:
    """The models by name; a number stands for one with so many references."""
    records = {
        ModelId(name): a_model(record) if isinstance(record, int) else record
        for name, record in models.items()
    }
    return Held(vmodel=vmodel, models=records)


def at(active: str, target: str = "", **fields: Any) -> VModelRecord:
    return VModelRecord(active=active, target=target or active, **fields)


def asked(target: ModelId = A, **fields: Any) -> SetVModel:
    return SetVModel(vmodel="v", target=target, **fields)


def set_(request: SetVModel, there: Held, copies: CopyCounts = BUSY, owner: str = "") -> Writes:
    return set_vmodel(request, there, copies, now_ms=NOW_MS, default_owner=owner)


def references(writes: Writes | None) -> dict[str, int | None]:
    """What is written of the models; None: it is forgotten."""
    assert writes is not None
    return {name: None if record is None else record.references for name, record in writes.models.items()}


# What is wrong whatever there is.


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"vmodel": "", "target": A}, "must provide non-empty vModelId", id="no alias"),
        pytest.param({"vmodel": "v", "target": ""}, "must provide non-empty targetModelId", id="no target"),
        pytest.param({"vmodel": "v", "target": A, "info": ModelInfo(type="")}, "model type", id="no type"),
        pytest.param(
            {"vmodel": "v", "target": A, "split": Split(canary=B, canary_percent=101)},
            "canaryPercent must be 0 to 100",
            id="more than all",
        ),
        pytest.param(
            {"vmodel": "v", "target": A, "split": Split(canary_percent=1)},
            "needs a canaryModelId",
            id="a share of nothing",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        check_asked(SetVModel(**fields))


# A new one.


def test_a_new_alias_is_at_its_target_at_once_and_counts() -> None:
    writes = set_(asked(), held(a=0))
    assert (writes.vmodel, writes.cause) == (at("a"), Cause.CREATED)
    assert references(writes) == {"a": 1}


@pytest.mark.parametrize(
    ("owner", "default", "becomes"),
    [("x", "y", "x"), ("", "y", "y"), ("", "", "")],
    ids=["the caller's", "the setting's", "none"],
)
def test_a_new_alias_has_an_owner(owner: str, default: str, becomes: str) -> None:
    writes = set_(asked(owner=owner), held(a=0), owner=default)
    assert writes.vmodel is not None
    assert writes.vmodel.owner == becomes


@pytest.mark.parametrize(
    ("load_now", "age_ms"), [(False, AGE_WHEN_CREATED_MS), (True, AGE_WHEN_LOADED_NOW_MS)], ids=str
)
def test_a_target_that_is_not_there_is_created(load_now: bool, age_ms: int) -> None:
    writes = set_(asked(info=INFO, auto_delete=True, load_now=load_now), held(a=None))
    assert writes.models == {A: a_model(1, auto_delete=True, last_used_ms=NOW_MS - age_ms)}


def test_a_target_that_is_there_keeps_its_flag() -> None:
    writes = set_(asked(info=INFO, auto_delete=True), held(a=0))
    assert writes.models == {A: a_model(1)}


@pytest.mark.parametrize(
    ("request_", "there", "error", "text"),
    [
        pytest.param(asked(), held(a=None), ModelNotFound, "model not found: a", id="no target"),
        pytest.param(asked(update_only=True), held(a=0), ModelNotFound, "vmodel v", id="only to be updated"),
        pytest.param(
            asked(info=ModelInfo(type="other")),
            held(a=0),
            ModelExists,
            "Model already exists with different attribute values: a",
            id="another model of that name",
        ),
        pytest.param(
            asked(expected_target=B), held(a=0), Refused, "v does not exist", id="expected elsewhere"
        ),
        pytest.param(
            asked(B, expected_target=C), held(at("a"), a=1, b=0), Refused, "v has target a", id="not expected"
        ),
        pytest.param(
            asked(owner="y"),
            held(at("a", owner="x"), a=1),
            ModelExists,
            'vmodel v already exists with different owner "x"',
            id="another owner's",
        ),
        pytest.param(
            asked(owner="y"),
            held(at("a"), a=1),
            ModelExists,
            'vmodel v already exists with different owner ""',
            id="nobody's",
        ),
        pytest.param(asked(), held(UNREADABLE, a=1), RecordUnreadable, "broken", id="a broken alias"),
        pytest.param(asked(), held(a=UNREADABLE), RecordUnreadable, "broken", id="a broken target"),
        pytest.param(
            asked(split=Split(canary=B, canary_percent=1)),
            held(a=0, b=None),
            ModelNotFound,
            "model not found: b",
            id="no canary",
        ),
        pytest.param(
            asked(split=Split(shadow=B)), held(a=0, b=None), ModelNotFound, "not found: b", id="no shadow"
        ),
    ],
)
def test_what_does_not_fit_what_is_there_is_refused(
    request_: SetVModel, there: Held, error: type[AdapterError], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        set_(request_, there)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("request_", "there"),
    [
        pytest.param(asked(expected_target=A), held(a=0), id="created as expected"),
        pytest.param(asked(B, expected_target=A), held(at("a"), a=1, b=0), id="as expected"),
        pytest.param(asked(A, expected_target=C), held(at("a"), a=1), id="there already"),
        pytest.param(asked(owner="x"), held(at("a", owner="x"), a=1), id="its owner's"),
        pytest.param(asked(), held(at("a", owner="x"), a=1), id="whoever owns it"),
    ],
)
def test_what_fits_is_done(request_: SetVModel, there: Held) -> None:
    set_(request_, there)


# One that is there.


def test_an_alias_goes_to_a_target_that_is_not_ready_and_counts_both() -> None:
    writes = set_(asked(B), held(at("a"), a=1, b=0))
    assert (writes.vmodel, writes.cause) == (at("a", "b"), Cause.AIMED)
    assert references(writes) == {"b": 1}


@pytest.mark.parametrize(
    ("copies", "fields", "cause"),
    [
        pytest.param(CopyCounts(active=1, target=0), {"force": True}, Cause.FORCED, id="forced"),
        pytest.param(CopyCounts(active=0, target=0), {}, Cause.IDLE, id="no copy of the active one"),
        pytest.param(CopyCounts(active=1, target=1), {}, Cause.READY, id="one of each"),
        pytest.param(CopyCounts(active=3, target=3), {}, Cause.READY, id="as many"),
    ],
)
def test_an_alias_moves_at_once(copies: CopyCounts, fields: dict[str, Any], cause: Cause) -> None:
    writes = set_(asked(B, **fields), held(at("a"), a=1, b=0), copies)
    assert (writes.vmodel, writes.cause) == (at("b"), cause)
    assert references(writes) == {"a": 0, "b": 1}


def test_with_fewer_copies_than_the_active_model_the_target_is_not_ready() -> None:
    writes = set_(asked(B), held(at("a"), a=1, b=0), CopyCounts(active=3, target=2))
    assert writes.vmodel == at("a", "b")


def test_an_alias_whose_active_model_has_vanished_moves_at_once() -> None:
    writes = set_(asked(B), held(at("a"), a=None, b=0))
    assert writes.vmodel == at("b")
    assert references(writes) == {"b": 1}


@pytest.mark.parametrize(
    ("there", "fields"),
    [
        pytest.param(at("b"), {}, id="stable"),
        pytest.param(at("b"), {"force": True}, id="stable and forced"),
        pytest.param(at("a", "b"), {}, id="on its way"),
        pytest.param(at("a", "b", failed=True), {}, id="failed"),
    ],
)
def test_the_same_target_again_changes_nothing(there: VModelRecord, fields: dict[str, Any]) -> None:
    writes = set_(asked(B, **fields), held(there, a=1, b=1))
    assert writes == Writes(vmodel=there, models={}, cause=None)


def test_force_moves_an_alias_that_is_on_its_way_and_counts_nothing_twice() -> None:
    writes = set_(asked(B, force=True), held(at("a", "b", failed=True), a=1, b=1))
    assert (writes.vmodel, writes.cause) == (at("b"), Cause.FORCED)
    assert references(writes) == {"a": 0}


def test_back_to_the_active_model_gives_up_the_target_and_counts_nothing_twice() -> None:
    writes = set_(asked(A), held(at("a", "b", failed=True), a=1, b=1))
    assert (writes.vmodel, writes.cause) == (at("a"), Cause.TURNED_BACK)
    assert references(writes) == {"b": 0}


def test_a_third_target_replaces_the_second() -> None:
    writes = set_(asked(C), held(at("a", "b", failed=True), a=1, b=1, c=0))
    assert (writes.vmodel, writes.cause) == (at("a", "c"), Cause.AIMED)
    assert references(writes) == {"b": 0, "c": 1}


def test_a_model_that_is_to_be_forgotten_is_when_nothing_names_it() -> None:
    there = held(at("a"), a=a_model(1, auto_delete=True), b=0)
    assert references(set_(asked(B, force=True), there)) == {"a": None, "b": 1}
    there = held(at("a"), a=a_model(2, auto_delete=True), b=0)
    assert references(set_(asked(B, force=True), there)) == {"a": 1, "b": 1}


def test_a_count_that_was_wrong_does_not_become_negative() -> None:
    assert references(set_(asked(B, force=True), held(at("a"), a=0, b=0))) == {"a": 0, "b": 1}


def test_a_new_target_counts_as_used_when_the_active_model_was() -> None:
    there = held(at("a"), a=a_model(1, last_used_ms=9), b=a_model(last_used_ms=5))
    assert set_(asked(B), there).models[B] == a_model(1, last_used_ms=9)


def test_a_vanished_target_can_be_created_anew() -> None:
    there = held(at("a", "b"), a=1, b=None)
    writes = set_(asked(B, info=INFO), there)
    assert (writes.vmodel, writes.cause, references(writes)) == (there.vmodel, None, {"b": 1})
    with pytest.raises(ModelNotFound):
        set_(asked(B), there)


# Canary and shadow.


def test_a_canary_and_a_shadow_are_counted_and_kept() -> None:
    split = Split(canary=B, canary_percent=5, shadow=C)
    writes = set_(asked(split=split), held(at("a"), a=1, b=0, c=0))
    there = at("a", canary="b", canary_percent=5, shadow="c")
    assert (writes.vmodel, writes.cause) == (there, Cause.SPLIT)
    assert references(writes) == {"b": 1, "c": 1}
    again = set_(asked(), held(there, a=1, b=1, c=1))
    assert again.vmodel == there


def test_an_empty_split_takes_them_away() -> None:
    there = at("a", canary="b", canary_percent=5, shadow="b")
    writes = set_(asked(split=Split()), held(there, a=1, b=1))
    assert writes.vmodel == at("a")
    assert references(writes) == {"b": 0}


def test_a_canary_that_becomes_the_active_model_is_none_any_more() -> None:
    there = at("a", canary="b", canary_percent=5, shadow="b")
    writes = set_(asked(B, force=True), held(there, a=1, b=1))
    assert writes.vmodel == at("b")
    assert references(writes) == {"a": 0}


def test_a_canary_gets_its_share_evenly() -> None:
    record = at("a", canary="b", canary_percent=5)
    calls = [chosen(record, turn) for turn in range(1000)]
    assert calls.count(B) == 50
    assert all(calls[start : start + 100].count(B) == 5 for start in range(900))
    assert [chosen(replace(record, canary_percent=share), 7) for share in (0, 100)] == ["a", "b"]
    assert chosen(at("a"), 0) == "a"


# Deleted.


def test_a_deleted_alias_releases_all_that_it_named() -> None:
    there = held(
        at("a", "b", canary="c", canary_percent=1, shadow="d"),
        a=a_model(1, auto_delete=True),
        b=a_model(2, auto_delete=True),
        c=1,
        d=None,
    )
    writes = delete_vmodel(there, owner="")
    assert writes is not None
    assert (writes.vmodel, writes.cause) == (None, Cause.DELETED)
    assert references(writes) == {"a": None, "b": 1, "c": 0}


@pytest.mark.parametrize(
    ("there", "owner"),
    [(None, ""), (at("a", owner="x"), "y"), (at("a"), "y")],
    ids=["absent", "x's", "nobody's"],
)
def test_what_is_not_there_or_not_the_callers_is_left(there: VModelRecord | None, owner: str) -> None:
    assert delete_vmodel(held(there, a=1), owner=owner) is None


def test_an_alias_that_cannot_be_read_can_be_deleted() -> None:
    assert delete_vmodel(held(UNREADABLE), owner="x") == Writes(vmodel=None, cause=Cause.DELETED)


# Moved by the leader.


def test_with_its_target_loaded_an_alias_moves() -> None:
    writes = moved(held(at("a", "b", failed=True), a=1, b=1), B, CopyCounts(active=3, target=1))
    assert writes is not None
    assert (writes.vmodel, writes.cause) == (at("b"), Cause.READY)
    assert references(writes) == {"a": 0}


def test_with_its_target_not_loaded_an_alias_has_failed() -> None:
    writes = moved(held(at("a", "b"), a=1, b=1), B, BUSY)
    assert writes == Writes(vmodel=at("a", "b", failed=True), cause=Cause.NOT_LOADED)
    there = at("a", "b", failed=True)
    assert moved(held(there, a=1, b=1), B, BUSY) == Writes(vmodel=there, cause=None)


@pytest.mark.parametrize(
    "there",
    [None, at("a"), at("b"), at("a", "c"), UNREADABLE],
    ids=["gone", "stays", "there", "elsewhere", "broken"],
)
def test_an_alias_that_is_not_on_its_way_there_is_left(there: VModelRecord | RecordUnreadable | None) -> None:
    assert moved(held(there, a=1, b=1, c=1), B, CopyCounts(active=1, target=1)) is None


@pytest.mark.parametrize(
    ("copies", "model", "can"),
    [
        pytest.param(CopyCounts(active=2, target=1), 1, False, id="fewer"),
        pytest.param(CopyCounts(active=2, target=2), 1, True, id="as many"),
        pytest.param(CopyCounts(active=0, target=0), 1, True, id="nothing to match"),
        pytest.param(CopyCounts(active=2, target=0), None, True, id="the active model has vanished"),
    ],
)
def test_an_alias_can_move_without_a_load(copies: CopyCounts, model: int | None, can: bool) -> None:
    assert can_move(at("a", "b"), held(a=model), copies) is can


def test_the_target_is_to_have_as_many_copies_and_at_least_one() -> None:
    assert [copies_wanted(CopyCounts(active=active, target=0)) for active in (0, 1, 3)] == [1, 1, 3]
