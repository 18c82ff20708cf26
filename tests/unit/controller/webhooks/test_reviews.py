import base64
import json
from typing import Any

import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.webhooks.reviews import allowed, denied, patched, read
from adapter.domain.errors import InvalidRequest
from tests.unit.controller.webhooks.words import NAMESPACE, a_review, a_runtime, annotated

ASKED = read(a_review(a_runtime()))


def test_an_object_is_in_the_namespace_that_stands_beside_it() -> None:
    assert ASKED.manifest["metadata"] == {"name": "mine", "namespace": NAMESPACE}
    assert read(a_review(a_runtime(), namespace="")).manifest["metadata"] == {"name": "mine"}


@pytest.mark.parametrize(
    ("review", "complaint"),
    [
        pytest.param([], "this is no AdmissionReview", id="no object"),
        pytest.param(
            {**a_review({}), "apiVersion": "admission.k8s.io/v1beta1"}, "of admission", id="version"
        ),
        pytest.param({**a_review({}), "request": None}, "request.uid is missing", id="no request"),
        pytest.param({**a_review({}), "request": {"uid": "a"}}, "request.object is missing", id="deleted"),
    ],
)
def test_what_is_no_question_is_an_error(review: Any, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        read(review)


def test_a_change_that_says_nothing_new_is_known() -> None:
    changed = {**a_runtime(), "metadata": {"name": "mine", "finalizers": ["a"], "resourceVersion": "2"}}
    assert read(a_review(changed, a_runtime())).says_nothing_new
    assert not read(a_review(a_runtime(disabled=True), a_runtime())).says_nothing_new
    assert not read(a_review(annotated(a_runtime(), metrics="cpu"), a_runtime())).says_nothing_new
    assert not ASKED.says_nothing_new


def test_an_object_that_is_being_deleted_is_known() -> None:
    leaving = {**a_runtime(), "metadata": {"name": "mine", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert read(a_review(leaving, a_runtime())).is_leaving
    assert not ASKED.is_leaving


def test_a_denial_has_each_complaint_with_its_field() -> None:
    answer = denied(ASKED, [Complaint("spec.replicas", "is wrong"), Complaint("spec.volumes", "too")])
    response = answer["response"]
    assert (answer["kind"], response["uid"], response["allowed"]) == ("AdmissionReview", "a-uid", False)
    status = response["status"]
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["message"] == "spec.replicas: is wrong; spec.volumes: too"
    assert (status["details"]["kind"], status["details"]["name"]) == ("ServingRuntime", "mine")
    assert [cause["field"] for cause in status["details"]["causes"]] == ["spec.replicas", "spec.volumes"]


def test_warnings_are_few_and_short() -> None:
    warnings = allowed(ASKED, ["x" * 1000] * 100)["response"]["warnings"]
    assert (len(warnings), {len(each) for each in warnings}) == (16, {250})
    assert "warnings" not in allowed(ASKED)["response"]


def test_a_patch_is_encoded_as_the_api_server_wants_it() -> None:
    operation = {"op": "add", "path": "/spec/a", "value": 1}
    response = patched(ASKED, [operation])["response"]
    assert (response["allowed"], response["patchType"]) == (True, "JSONPatch")
    assert json.loads(base64.b64decode(response["patch"])) == [operation]
    assert patched(ASKED, []) == allowed(ASKED)
