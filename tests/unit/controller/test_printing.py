from typing import Any

import pytest

from adapter.controller.printing import Printer, columns, document, duration, not_found, since, told_name
from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    EVENT,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Key,
    Kind,
    Manifest,
)

NOW_MS = 1_767_323_061_000  # 2026-01-02T03:04:21Z
METADATA = {"name": "example", "namespace": "ns", "creationTimestamp": "2026-01-02T03:04:05Z"}

ISVC = {
    "metadata": {**METADATA, "name": "example-sklearn-isvc"},
    "status": {
        "url": "grpc://modelmesh-serving:8033",
        "conditions": [{"type": "PredictorReady", "status": "x"}, {"type": "Ready", "status": "True"}],
        "modelStatus": {
            "transitionStatus": "UpToDate",
            "states": {"activeModelState": "Loaded", "targetModelState": ""},
        },
    },
}
RUNTIME = {
    "metadata": {**METADATA, "name": "triton-2.x"},
    "spec": {
        "supportedModelFormats": [{"name": "keras", "version": "2"}, {"name": "onnx"}],
        "containers": [{"name": "triton"}, {"name": "more"}],
        "protocolVersions": ["grpc-v2", "v2"],
    },
}
PREDICTED = {
    "metadata": METADATA,
    "spec": {"modelType": {"name": "tensorflow"}},
    "status": {
        "available": False,
        "activeModelState": "FailedToLoad",
        "targetModelState": "Loading",
        "transitionStatus": "InProgress",
        "failedCopies": 2,
        "lastFailureInfo": {"reason": "ModelLoadFailed"},
    },
}


def table(kind: Kind, *manifests: Manifest, **options: bool) -> list[str]:
    return Printer(columns(kind, now_ms=NOW_MS, **options)).lines(manifests)


def test_an_isvc_is_as_modelmeshs_page_shows_it() -> None:
    middle = "PREV   LATEST   PREVROLLEDOUTREVISION   LATESTREADYREVISION   "
    assert table(INFERENCE_SERVICE, ISVC) == [
        f"NAME                   URL                             READY   {middle}AGE",
        f"example-sklearn-isvc   grpc://modelmesh-serving:8033   True    {' ' * len(middle)}16s",
    ]


EVENT_SEEN = {
    "metadata": METADATA,
    "type": "Warning",
    "reason": "Bad",
    "message": "no\n",
    "lastTimestamp": "2026-01-02T03:04:20Z",
    "involvedObject": {"kind": "InferenceService", "name": "a"},
}


@pytest.mark.parametrize(
    ("kind", "manifest", "titles", "row"),
    [
        pytest.param(
            SERVING_RUNTIME,
            RUNTIME,
            "NAME         DISABLED   MODELTYPE   CONTAINERS   AGE",
            "triton-2.x              keras       triton       16s",
            id="a runtime",
        ),
        pytest.param(
            PREDICTOR,
            PREDICTED,
            "NAME      TYPE         AVAILABLE   ACTIVEMODEL    TARGETMODEL   TRANSITION   AGE",
            "example   tensorflow   false       FailedToLoad   Loading       InProgress   16s",
            id="a predictor",
        ),
        pytest.param(
            SECRET,
            {"metadata": METADATA, "data": {"a": "", "b": ""}},
            "NAME      TYPE     DATA   AGE",
            "example   Opaque   2      16s",
            id="a secret",
        ),
        pytest.param(
            CONFIG_MAP,
            {"metadata": METADATA},
            "NAME      DATA   AGE",
            "example   0      16s",
            id="settings",
        ),
        pytest.param(
            NAMESPACE,
            {"metadata": METADATA},
            "NAME      STATUS   AGE",
            "example   Active   16s",
            id="a namespace",
        ),
        pytest.param(
            EVENT,
            EVENT_SEEN,
            "LAST SEEN   TYPE      REASON   OBJECT               MESSAGE",
            "1s          Warning   Bad      inferenceservice/a   no",
            id="an event",
        ),
    ],
)
def test_each_kind_has_its_columns(kind: Kind, manifest: Manifest, titles: str, row: str) -> None:
    assert table(kind, manifest) == [titles, row]


def test_wide_tables_say_more_on_the_right() -> None:
    titles, row = table(INFERENCE_SERVICE, ISVC, wide=True)
    assert titles.split()[-5:] == ["AGE", "ACTIVEMODEL", "TARGETMODEL", "TRANSITION", "REASON"]
    assert row.split()[-2:] == ["Loaded", "UpToDate"]
    assert table(CLUSTER_SERVING_RUNTIME, RUNTIME, wide=True)[1].endswith("16s   keras:2,onnx   grpc-v2,v2")
    assert table(PREDICTOR, PREDICTED, wide=True)[1].endswith("2              ModelLoadFailed")


def test_namespaces_are_told_when_there_are_several() -> None:
    assert table(PREDICTOR, PREDICTED, namespace=True)[0].startswith("NAMESPACE   NAME")
    assert table(CLUSTER_SERVING_RUNTIME, RUNTIME, namespace=True)[0].startswith("NAME ")


def test_traffic_is_told_where_kserve_tells_it() -> None:
    traffic = [
        {"tag": "prev", "percent": 90, "revisionName": "a-1"},
        {"latestRevision": True, "percent": 10, "revisionName": "a-2"},
    ]
    manifest = {"metadata": METADATA, "status": {"components": {"predictor": {"traffic": traffic}}}}
    assert table(INFERENCE_SERVICE, manifest)[1].split() == ["example", "90", "10", "a-1", "a-2", "16s"]


@pytest.mark.parametrize("status", [None, [], {"conditions": 7}, {"conditions": [7]}, {"components": "x"}])
def test_whatever_a_status_is_there_is_a_row(status: Any) -> None:
    assert table(INFERENCE_SERVICE, {"metadata": METADATA, "status": status})[1].split() == ["example", "16s"]


def test_a_watched_table_stays_a_table() -> None:
    printer = Printer(columns(CONFIG_MAP, now_ms=NOW_MS))
    printer.lines([{"metadata": {**METADATA, "name": "a-long-name"}}])
    assert printer.lines([{"metadata": METADATA}], headers=False) == ["example       0      16s"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"), (600, "10m"),
        (10_799, "179m"), (10_800, "3h"), (14_460, "4h1m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"),
        (180_000, "2d2h"), (691_200, "8d"), (63_072_000, "2y"), (64_000_000, "2y10d"), (252_288_000, "8y"),
    ],
)  # fmt: skip
def test_ages_are_kubectls(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_an_age_of_no_moment_is_unknown() -> None:
    assert since("", NOW_MS) == since("yesterday", NOW_MS) == "<unknown>"


def test_names_and_what_is_not_there_are_told_as_kubectl_does() -> None:
    assert told_name(INFERENCE_SERVICE, "a") == "inferenceservice.serving.kserve.io/a"
    assert told_name(SECRET, "s") == "secret/s"
    assert not_found(Key(kind=INFERENCE_SERVICE, name="a")) == (
        'Error from server (NotFound): inferenceservices.serving.kserve.io "a" not found'
    )


def test_documents_are_one_object_or_a_list_without_what_is_of_no_interest() -> None:
    manifest = {"metadata": {"name": "a", "managedFields": [1]}}
    assert document([manifest], single=True) == {"metadata": {"name": "a"}}
    assert document([manifest], single=False)["items"] == [{"metadata": {"name": "a"}}]
