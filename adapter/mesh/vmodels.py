"""Aliases: how they are set, deleted and moved, and how the models that they name are counted.

Each function takes the records as they were read and gives what is to be written, all of it at once and under
the guard that nobody has written them meanwhile. Rules, codes and texts are ModelMesh's (reference: ModelMesh
core 1.4), as they were intended: a reference is counted once for each model that an alias names, so that
none is left over (10.3, row 13b), and a target that has vanished is no riddle (row 12). Canary and shadow are
ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from adapter.domain.errors import InvalidRequest, ModelExists, ModelNotFound, RecordUnreadable, Refused
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo, ModelRecord, VModelRecord
from adapter.domain.status import ModelReport
from adapter.mesh.vmodel_states import Cause, VModelStatus, check_step

PERCENT: Final = 100
HOUR_MS: Final = 3_600_000
AGE_WHEN_LOADED_NOW_MS: Final = HOUR_MS
AGE_WHEN_CREATED_MS: Final = 6 * HOUR_MS
"""How long ago a model that is created counts as used, as when it is registered (ModelMesh core 1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Another model beside the active one."""

    canary: str = ""
    canary_percent: int = 0
    shadow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVModel:
    """What a caller wants an alias to be (`mmesh.SetVModelRequest`)."""

    vmodel: str
    target: ModelId
    info: ModelInfo | None = None
    """Create the target if it is not there, else it must match."""
    auto_delete: bool = False
    """A target that is created is forgotten when no alias names it any more."""
    update_only: bool = False
    load_now: bool = False
    force: bool = False
    sync: bool = False
    expected_target: str = ""
    owner: str = ""
    split: Split | None = None
    """None: as it was."""
    rules: CopyRules | None = None
    """Of the target; None: as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The records as they were read. What cannot be decoded stands there as its error."""

    vmodel: VModelRecord | RecordUnreadable | None
    models: Mapping[ModelId, ModelRecord | RecordUnreadable | None] = field(default_factory=dict)
    """At least those that the alias names, or is to name."""

    def model(self, model: ModelId) -> ModelRecord | None:
        """The registration, if there is one that can be read."""
        record = self.models.get(model)
        return record if isinstance(record, ModelRecord) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCounts:
    """What the mesh holds of the two models of an alias."""

    active: int
    """Loaded or loading."""
    target: int
    """Loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """What the records are to become."""

    vmodel: VModelRecord | None
    models: Mapping[ModelId, ModelRecord | None] = field(default_factory=dict)
    """Those that change; None: it is forgotten."""
    cause: Cause | None
    """None: the alias stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VModelReport:
    """All that a status call tells of an alias (`mmesh.VModelStatusInfo`)."""

    record: VModelRecord | None = None
    status: VModelStatus = VModelStatus.NOT_FOUND
    active: ModelReport | None = None
    target: ModelReport | None = None
    """Only while it is not the active one."""


def models_of(record: VModelRecord | RecordUnreadable | None) -> frozenset[ModelId]:
    """All models that an alias names; it counts as one reference to each."""
    if not isinstance(record, VModelRecord):
        return frozenset()
    named = (record.active, record.target, record.canary, record.shadow)
    return frozenset([ModelId(name) for name in named if name])


def models_wanted(asked: SetVModel) -> frozenset[ModelId]:
    """All models that the alias is to name."""
    split = asked.split or Split()
    return frozenset([ModelId(name) for name in (asked.target, split.canary, split.shadow) if name])


def check_asked(asked: SetVModel) -> None:
    """Raises `InvalidRequest` for what is wrong whatever there is."""
    if not asked.vmodel:
        raise InvalidRequest("must provide non-empty vModelId")
    if not asked.target:
        raise InvalidRequest("must provide non-empty targetModelId")
    if asked.info is not None and not asked.info.type:
        raise InvalidRequest("modelInfo must have a non-empty model type string")
    split = asked.split or Split()
    if not 0 <= split.canary_percent <= PERCENT:
        raise InvalidRequest(f"canaryPercent must be 0 to {PERCENT}, not {split.canary_percent}")
    if split.canary_percent and not split.canary:
        raise InvalidRequest("canaryPercent needs a canaryModelId")


def set_vmodel(
    asked: SetVModel, held: Held, copies: CopyCounts, *, now_ms: int, default_owner: str
) -> Writes:
    """What makes the alias as asked.

    `copies.active` is of the model that is active now. Raises `ModelNotFound`, `ModelExists` or `Refused`.
    """
    before = held.vmodel
    if isinstance(before, RecordUnreadable):
        raise before
    _check_expected(asked, before)
    created = _target(asked, held, now_ms=now_ms)
    for model in models_wanted(asked) - {asked.target}:
        if held.model(model) is None:
            raise _not_found(model)
    after: VModelRecord
    cause: Cause | None
    if before is None:
        first = VModelRecord(active=asked.target, target=asked.target, owner=asked.owner or default_owner)
        after, cause = _with_split(first, asked.split), Cause.CREATED
    else:
        after, cause = _aimed(asked, before, held, copies)
    return _with_rules(_writes(held, after, cause, created=created), asked, held)


def delete_vmodel(held: Held, *, owner: str) -> Writes | None:
    """What forgets the alias; None: it is not there, or another owner's, which is fine."""
    before = held.vmodel
    if before is None or (owner and isinstance(before, VModelRecord) and before.owner != owner):
        return None
    return _writes(held, None, Cause.DELETED)


def moved(held: Held, target: ModelId, copies: CopyCounts) -> Writes | None:
    """What comes of an attempt to load the target, which has ended; None: the alias is not on its way there.

    As many copies as there can be were tried for: one that is loaded is enough to move to.
    """
    before = held.vmodel
    if not isinstance(before, VModelRecord) or before.active == before.target or before.target != target:
        return None
    cause = _reason_to_move(before, held, copies, enough=1)
    if cause is None and before.failed:
        return Writes(vmodel=before, cause=None)
    if cause is None:
        return _writes(held, replace(before, failed=True), Cause.NOT_LOADED)
    return _writes(held, _at(before, before.target), cause)


def can_move(record: VModelRecord, held: Held, copies: CopyCounts) -> bool:
    """Whether the alias can move to its target as it is, with nothing loaded before."""
    return _reason_to_move(record, held, copies, enough=copies.active) is not None


def copies_wanted(copies: CopyCounts) -> int:
    """How many copies of the target there are to be before the alias moves: as many as the active has."""
    return max(copies.active, 1)


def chosen(record: VModelRecord, turn: int) -> ModelId:
    """The model that a call goes to. Of calls with successive turns the canary gets an even share."""
    # 61 and 100 have no common divisor: a hundred turns take each value once, far ones next to each other.
    if record.canary and turn * 61 % PERCENT < record.canary_percent:
        return ModelId(record.canary)
    return ModelId(record.active)


def owner_differs(vmodel: str, owner: str) -> ModelExists:
    """The alias is another owner's; the text names who owns it, whatever was asked (10.3, row 13)."""
    return ModelExists(f'vmodel {vmodel} already exists with different owner "{owner}"')


def _check_expected(asked: SetVModel, before: VModelRecord | None) -> None:
    expected = asked.expected_target
    if before is None:
        if asked.update_only:
            raise ModelNotFound(f"vmodel {asked.vmodel} not found, and is only to be updated")
        if expected and expected != asked.target:
            raise Refused(f"vmodel {asked.vmodel} does not exist, and was expected to have target {expected}")
        return
    if asked.owner and asked.owner != before.owner:
        raise owner_differs(asked.vmodel, before.owner)
    if expected and before.target not in (expected, asked.target):
        raise Refused(
            f"vmodel {asked.vmodel} has target {before.target}, and was expected to have {expected}"
        )


def _target(asked: SetVModel, held: Held, *, now_ms: int) -> Mapping[ModelId, ModelRecord]:
    """The target, if it is to be created; else it is there, and as it should be."""
    there = held.models.get(asked.target)
    if isinstance(there, RecordUnreadable):
        raise there
    if there is None:
        if asked.info is None:
            raise _not_found(asked.target)
        age_ms = AGE_WHEN_LOADED_NOW_MS if asked.load_now else AGE_WHEN_CREATED_MS
        created = ModelRecord(
            info=asked.info, last_used_ms=max(now_ms - age_ms, 0), auto_delete=asked.auto_delete
        )
        return {asked.target: created}
    if asked.info is not None and there.info != asked.info:
        raise ModelExists(f"Model already exists with different attribute values: {asked.target}")
    return {}


def _aimed(
    asked: SetVModel, before: VModelRecord, held: Held, copies: CopyCounts
) -> tuple[VModelRecord, Cause | None]:
    """What an alias that is there becomes, and why."""
    after = before
    cause: Cause | None = None
    if asked.target != before.target:
        after = replace(before, target=asked.target, failed=False)
        cause = Cause.AIMED
    if after.active != after.target:
        reason = Cause.FORCED if asked.force else None
        if reason is None and cause is Cause.AIMED:
            reason = _reason_to_move(after, held, copies, enough=copies.active)
        if reason is not None:
            after, cause = _at(after, after.target), reason
    elif cause is Cause.AIMED:
        cause = Cause.TURNED_BACK
    split = _with_split(after, asked.split)
    if split != after and cause is None:
        cause = Cause.SPLIT
    return split, cause


def _reason_to_move(record: VModelRecord, held: Held, copies: CopyCounts, *, enough: int) -> Cause | None:
    """Why an alias can move to its target now, if it can."""
    if copies.active == 0 or held.models.get(ModelId(record.active)) is None:
        return Cause.IDLE
    return Cause.READY if copies.target >= enough else None


def _at(record: VModelRecord, model: str) -> VModelRecord:
    """At this model, and on no way; a canary that it was is none any more."""
    return _tidy(replace(record, active=model, target=model, failed=False))


def _with_split(record: VModelRecord, split: Split | None) -> VModelRecord:
    if split is None:
        return record
    canary, percent = (split.canary, split.canary_percent) if split.canary else ("", 0)
    return _tidy(replace(record, canary=canary, canary_percent=percent, shadow=split.shadow))


def _tidy(record: VModelRecord) -> VModelRecord:
    """Nothing is beside itself."""
    if record.canary == record.active:
        record = replace(record, canary="", canary_percent=0)
    return replace(record, shadow="") if record.shadow == record.active else record


def _with_rules(writes: Writes, asked: SetVModel, held: Held) -> Writes:
    """The same, and the target has the rules that are asked for."""
    target = writes.models.get(asked.target, held.model(asked.target))
    if asked.rules is None or target is None or target.rules == asked.rules:
        return writes
    return replace(writes, models={**writes.models, asked.target: replace(target, rules=asked.rules)})


def _writes(
    held: Held,
    after: VModelRecord | None,
    cause: Cause | None,
    *,
    created: Mapping[ModelId, ModelRecord] | None = None,
) -> Writes:
    """The alias and the references, changed together."""
    before = held.vmodel
    if cause is None:
        assert after == before
    elif not isinstance(before, RecordUnreadable):
        check_step(before, cause, after)
    was, becomes = models_of(before), models_of(after)
    changed: dict[ModelId, ModelRecord | None] = {}
    for model in was - becomes:
        record = held.model(model)
        if record is not None:
            changed[model] = _released(record)
    for model, record in (created or {}).items():
        changed[model] = replace(record, references=1)
    for model in becomes - was:
        if model in changed:
            continue
        record = held.model(model)
        assert record is not None, "whatever an alias comes to name was found to be registered"
        changed[model] = replace(record, references=record.references + 1)
    if isinstance(before, VModelRecord) and isinstance(after, VModelRecord):
        _inherit_use(held, before, after, changed)
    return Writes(vmodel=after, models=changed, cause=cause)


def _released(record: ModelRecord) -> ModelRecord | None:
    left = max(record.references - 1, 0)
    return None if left == 0 and record.auto_delete else replace(record, references=left)


def _inherit_use(
    held: Held, before: VModelRecord, after: VModelRecord, changed: dict[ModelId, ModelRecord | None]
) -> None:
    """A new target counts as used when the model was that it is to replace."""
    old, new = held.model(ModelId(before.active)), changed.get(ModelId(after.target))
    if old is not None and new is not None and after.target != before.target:
        changed[ModelId(after.target)] = replace(new, last_used_ms=max(new.last_used_ms, old.last_used_ms))


def _not_found(model: ModelId) -> ModelNotFound:
    return ModelNotFound(f"model not found: {model}")
