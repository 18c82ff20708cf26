from typing import Any

import pytest

from adapter.controller.describing import about, description, label
from adapter.domain.kinds import INFERENCE_SERVICE, SECRET

NOW_MS = 1_767_323_061_000  # 2026-01-02T03:04:21Z

ISVC: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {
        "name": "iris",
        "namespace": "ns",
        "uid": "u-1",
        "generation": 1,
        "annotations": {"b/mode": "x", "a": "1"},
    },
    "spec": {"predictor": {"sklearn": {"storageUri": "s3://b/k"}, "empty": {}, "list": ["one", "two"]}},
    "status": {
        "available": True,
        "conditions": [{"type": "Ready", "status": "False", "message": "first\nsecond"}],
        "targetModelState": "",
        "url": None,
    },
}


def event(**parts: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "involvedObject": {"kind": "InferenceService", "name": "iris", "uid": "u-1"},
        "type": "Warning",
        "reason": "Bad",
        "message": "no runtime",
        "source": {"component": "remesh-up"},
        **parts,
    }


def test_a_page_is_as_kubectl_writes_it() -> None:
    assert list(description(ISVC, INFERENCE_SERVICE, events=[event()], now_ms=NOW_MS)) == [
        "Name:         iris",
        "Namespace:    ns",
        "Labels:       <none>",
        "Annotations:  a: 1",
        "              b/mode: x",
        "API Version:  serving.kserve.io/v1beta1",
        "Kind:         InferenceService",
        "Metadata:",
        "  Generation:  1",
        "  UID:         u-1",
        "Spec:",
        "  Predictor:",
        "    Empty:",
        "    List:",
        "      one",
        "      two",
        "    Sklearn:",
        "      Storage Uri:  s3://b/k",
        "Status:",
        "  Available:  true",
        "  Conditions:",
        "    Message:           first",
        "                       second",
        "    Status:            False",
        "    Type:              Ready",
        "  Target Model State:",
        "  URL:                 <nil>",
        "Events:",
        "  Type     Reason  Age   From       Message",
        "  ----     ------  ----  ----       -------",
        "  Warning  Bad     16s   remesh-up  no runtime",
    ]


def test_without_events_it_says_so() -> None:
    assert list(description(ISVC, INFERENCE_SERVICE, now_ms=NOW_MS))[-1] == "Events:  <none>"


def test_an_event_that_came_often_says_how_often() -> None:
    told = event(count=3, firstTimestamp="2026-01-02T03:00:21Z", lastTimestamp="2026-01-02T03:04:20Z")
    assert "1s (x3 over 4m)" in list(description(ISVC, INFERENCE_SERVICE, events=[told], now_ms=NOW_MS))[-1]


def test_events_are_those_of_the_object_the_latest_last() -> None:
    other = {"kind": "InferenceService", "name": "other"}
    events = [
        event(reason="second", lastTimestamp="2026-01-02T03:04:09Z"),
        event(reason="first", lastTimestamp="2026-01-02T03:04:07Z"),
        event(involvedObject=other),
        event(involvedObject={"kind": "InferenceService", "name": "iris", "uid": "of-one-before"}),
    ]
    assert [each["reason"] for each in about(events, ISVC, INFERENCE_SERVICE)] == ["first", "second"]


def test_what_a_secret_holds_is_not_shown() -> None:
    secret = {"metadata": {"name": "s"}, "data": {"key": "aHVudGVyMg==", "bad": "%"}, "type": "Opaque"}
    page = "\n".join(description(secret, SECRET, now_ms=NOW_MS))
    assert "key:  7 bytes" in page
    assert "aHVudGVyMg" not in page
    assert "hunter2" not in page


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("activeModelState", "Active Model State"), ("url", "URL"), ("uid", "UID"), ("grpcURL", "Grpc URL"),
        ("storageUri", "Storage Uri"), ("serving.kserve.io/x", "serving.kserve.io/x"), ("a1", "a1"),
        ("my-field", "My Field"), ("APIVersion", "API Version"),
    ],
)  # fmt: skip
def test_fields_have_names_for_people(name: str, told: str) -> None:
    assert label(name) == told
