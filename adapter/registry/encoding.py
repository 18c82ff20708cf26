"""Records as bytes: JSON objects with ModelMesh's field names (reference: ModelMesh core 3.3 to 3.6).

Fields that are as by default are left out. Fields that we do not know are kept in the record and written
back, so that what a newer writer or a ModelMesh left in the store is not lost. Every `decode_...` raises
`RecordUnreadable`, which names the key.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from adapter.domain.records import (
    CopyRecord,
    CopyRules,
    CopyState,
    InstanceRecord,
    ModelInfo,
    ModelRecord,
    VModelRecord,
)
from adapter.registry.record_fields import TRANSIENT, Fields

TYPE_WHEN_ABSENT: Final = "NLCLASSIFIER"
SIZE_UNIT_BYTES: Final = 8192
"""ModelMesh counts the room of an instance in these."""
NEVER_USED: Final = 2**63 - 1
"""The last use of the coldest copy, where there is no copy."""
PERCENT: Final = 100

MODEL_CURE: Final = "unregister the model and register it again"
VMODEL_CURE: Final = "delete the vmodel and set it again"
PASSED_OVER: Final = "it is passed over until the instance that wrote it writes it anew"

_STATES: Final[Mapping[str, CopyState]] = {state.value: state for state in CopyState}


# Models.


def encode_model(record: ModelRecord) -> bytes:
    """The record as UTF-8 JSON."""
    info, rules = record.info, record.rules
    known = {
        # The type is always written, since an absent one has a meaning of its own.
        "type": info.type,
        "mPath": info.path,
        "encKey": info.key,
        "refs": record.references,
        "autoDel": record.auto_delete,
        "lu": record.last_used_ms,
        "minCopies": rules.copies_min,
        "maxCopies": rules.copies_max,
        "pin": rules.pinned,
    }
    return _encoded(known, record.unknown, always="type")


def decode_model(key: str, value: bytes) -> ModelRecord:
    """The record that stands under this key."""
    fields = Fields.parse(key, value, cure=MODEL_CURE)
    fields.drop(TRANSIENT)
    return ModelRecord(
        info=ModelInfo(
            type=fields.text("type", default=TYPE_WHEN_ABSENT),
            path=fields.text("mPath"),
            key=fields.text("encKey"),
        ),
        last_used_ms=fields.whole("lu"),
        references=fields.whole("refs"),
        auto_delete=fields.truth("autoDel"),
        rules=CopyRules(
            copies_min=fields.count("minCopies"),
            copies_max=fields.count("maxCopies"),
            pinned=fields.truth("pin"),
        ),
        unknown=fields.rest(),
    )


# VModels.


def encode_vmodel(record: VModelRecord) -> bytes:
    """The record as UTF-8 JSON."""
    known = {
        "o": record.owner,
        "amid": record.active,
        "tmid": record.target,
        "failed": record.failed,
        "canary": {record.canary: record.canary_percent} if record.canary else None,
        "shadow": record.shadow,
    }
    return _encoded(known, record.unknown, always="amid")


def decode_vmodel(key: str, value: bytes) -> VModelRecord:
    """The record that stands under this key."""
    fields = Fields.parse(key, value, cure=VMODEL_CURE)
    fields.drop(TRANSIENT)
    active = fields.text("amid")
    if not active:
        raise fields.unreadable("field amid names no model")
    target = fields.text("tmid") or active
    canary, percent = _canary(fields)
    return VModelRecord(
        active=active,
        # Most are stable, and there are many: one text is enough.
        target=active if target == active else target,
        owner=fields.text("o"),
        failed=fields.truth("failed"),
        canary=canary,
        canary_percent=percent,
        shadow=fields.text("shadow"),
        unknown=fields.rest(),
    )


def _canary(fields: Fields) -> tuple[str, int]:
    canary = fields.named("canary")
    if len(canary) != 1:
        if canary:  # a newer writer's: the active model gets all calls here, and it is written back
            fields.put_back("canary", canary)
        return "", 0
    [(model, percent)] = canary.items()
    if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= PERCENT:
        raise fields.unreadable("field canary has no whole percentage")
    return model, percent if model else 0


# Instances.


def encode_instance(record: InstanceRecord) -> bytes:
    """The record as UTF-8 JSON.

    Sizes are counted in units: what there is is rounded down, what is used is rounded up. The version is
    under a name of ours, since ModelMesh's is a number.
    """
    known = {
        "peer": record.address,
        "boot": record.boot,
        "startTime": record.started_ms,
        "version": record.version,
        "loc": record.location,
        "zone": record.zone,
        "labels": sorted(record.labels),
        "lruTime": NEVER_USED if record.coldest_ms is None else record.coldest_ms,
        "count": record.copies,
        "cap": record.capacity_bytes // SIZE_UNIT_BYTES,
        "used": -(-record.used_bytes // SIZE_UNIT_BYTES),
        "lThreads": record.loading_slots,
        "lInProg": record.loading,
        "rpm": record.rpm,
        "idleSince": record.idle_since_ms,
        "shutdown": record.draining,
        "endpoints": dict(record.endpoints),
    }
    return _encoded(known, record.unknown, always="peer")


def decode_instance(key: str, value: bytes) -> InstanceRecord | None:
    """The record that stands under this key; None: a ModelMesh's own, which we cannot reach."""
    fields = Fields.parse(key, value, cure=PASSED_OVER)
    fields.drop(TRANSIENT)
    address = fields.text("peer")
    if not address:
        return None
    coldest_ms = fields.count("lruTime", default=NEVER_USED)
    return InstanceRecord(
        address=address,
        boot=fields.text("boot"),
        started_ms=fields.whole("startTime"),
        version=fields.text("version"),
        location=fields.text("loc"),
        zone=fields.text("zone"),
        labels=fields.texts("labels"),
        coldest_ms=None if coldest_ms >= NEVER_USED else coldest_ms,
        copies=fields.count("count"),
        capacity_bytes=fields.count("cap") * SIZE_UNIT_BYTES,
        used_bytes=fields.count("used") * SIZE_UNIT_BYTES,
        loading_slots=fields.count("lThreads", default=1),
        loading=fields.count("lInProg"),
        rpm=fields.count("rpm"),
        idle_since_ms=fields.count("idleSince") or None,
        draining=fields.truth("shutdown"),
        endpoints=_endpoints(fields),
        unknown=fields.rest(),
    )


def _endpoints(fields: Fields) -> dict[str, str]:
    endpoints = fields.named("endpoints")
    texts = {name: address for name, address in endpoints.items() if isinstance(address, str)}
    if len(texts) != len(endpoints):
        raise fields.unreadable("field endpoints has an address that is not a text")
    return texts


# Wanted types.


def encode_wanted(types: Sequence[str]) -> bytes:
    """The types of models that an instance holds calls for, as UTF-8 JSON."""
    return json.dumps({"types": list(types)}, separators=(",", ":")).encode("ascii")


def decode_wanted(key: str, value: bytes) -> tuple[str, ...]:
    """Those that stand under this key."""
    return Fields.parse(key, value, cure=PASSED_OVER).texts("types")


# Copies: written and read with each load, by every instance.


def encode_copy(record: CopyRecord) -> bytes:
    """The record as UTF-8 JSON."""
    fields: dict[str, object] = {**record.unknown, "s": record.state.value, "t": record.since_ms}
    if record.size_bytes:
        fields["b"] = record.size_bytes
    if record.load_s:
        fields["l"] = record.load_s
    if record.failure:
        # A text of the operating system's may hold what is no proper Unicode.
        fields["f"] = record.failure.encode("utf-8", "replace").decode("utf-8")
    if record.until_ms:
        fields["u"] = record.until_ms
    if record.everywhere:
        fields["e"] = True
    if record.crashes:
        fields["c"] = record.crashes
    return orjson.dumps(fields)


def decode_copy(key: str, value: bytes) -> CopyRecord:
    """The record that stands under this key."""
    fields = Fields.parse_fast(key, value, cure=PASSED_OVER)
    state = _STATES.get(name := fields.text("s"))
    if state is None:
        raise fields.unreadable(f"its state {name!r} is none that we know")
    return CopyRecord(
        state=state,
        since_ms=fields.whole("t"),
        size_bytes=fields.count("b"),
        load_s=fields.number("l"),
        failure=fields.text("f"),
        until_ms=fields.whole("u"),
        everywhere=fields.truth("e"),
        crashes=fields.count("c"),
        unknown=fields.rest(),
    )


def _encoded(known: Mapping[str, object], unknown: Mapping[str, object], *, always: str) -> bytes:
    """What is as by default is left out, but for one field."""
    fields = {name: value for name, value in known.items() if value or name == always}
    # ASCII only, so that text which is no proper Unicode survives.
    return json.dumps({**unknown, **fields}, separators=(",", ":")).encode("ascii")
