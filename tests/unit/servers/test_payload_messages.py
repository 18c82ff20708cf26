import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.servers import payload_messages
from adapter.servers.payload_messages import Payload, body_of
from adapter.wire.headers import Pair

INFER = "inference.GRPCInferenceService/ModelInfer"


def a_payload(*metadata: Pair, data: bytes = b"\x0a\x04iris", vmodel_id: str = "") -> Payload:
    return Payload(
        id="7",
        model_id="iris",
        vmodel_id=vmodel_id,
        method=INFER,
        kind="response",
        status="OK",
        metadata=metadata,
        data=data,
    )


def as_json(payload: Payload) -> dict[str, Any]:
    length, parts = body_of(payload)
    body = b"".join(parts)
    assert len(body) == length
    document: dict[str, Any] = json.loads(body)
    return document


def test_the_body_is_what_modelmesh_sends() -> None:
    assert as_json(a_payload(("x-request-id", "17"), vmodel_id="flowers")) == {
        "id": "7",
        "modelid": "iris",
        "vModelId": "flowers",
        "data": "CgRpcmlz",
        "kind": "response",
        "status": "OK",
        "metadata": {"x-request-id": "17"},
    }


def test_without_an_alias_there_is_null() -> None:
    assert as_json(a_payload())["vModelId"] is None


@given(st.binary(max_size=100))
def test_any_message_arrives_as_it_was(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(payload_messages, "BLOCK_BYTES", 6)
        assert b64decode(as_json(a_payload(data=data))["data"]) == data


def test_metadata_are_a_map_of_texts() -> None:
    told = as_json(a_payload(("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\xff")))["metadata"]
    assert told == {"x-a": "1,2", "x-b-bin": "/w=="}


def test_credentials_of_the_caller_are_not_shown() -> None:
    payload = a_payload(("authorization", "Bearer secret"), ("cookie", "secret"))
    assert as_json(payload)["metadata"] == {}
    assert "secret" not in repr(payload)
