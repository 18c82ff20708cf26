import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.etcd_secret import EtcdSecret, is_ours, read_etcd_secret
from adapter.controller.manifests.complaints import BadManifest

PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def a_secret(members: object, **files: str) -> dict[str, Any]:
    entries = {"etcd_connection": json.dumps(members), **files}
    return {"data": {name: base64.b64encode(text.encode()).decode() for name, text in entries.items()}}


def complaints(manifest: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadManifest) as refused:
        read_etcd_secret(manifest)
    return {each.field.rpartition(".")[2]: each.text for each in refused.value.complaints}


def copied(members: object, home: str = "", **files: str) -> Any:
    return json.loads(read_etcd_secret(a_secret(members, **files)).of_namespace("team", home=home).connection)


def test_a_copy_has_keys_of_its_own_and_is_the_same_otherwise() -> None:
    members = {
        "endpoints": "http://etcd:2379",
        "root_prefix": "modelmesh-serving",
        "userid": "u",
        "else": [1],
    }
    assert copied(members) == {**members, "root_prefix": "modelmesh-serving/mm_ns/team"}
    assert copied({"endpoints": "http://etcd:2379"})["root_prefix"] == "/mm_ns/team"


def test_the_files_that_it_refers_to_come_along() -> None:
    members = {
        "endpoints": "https://etcd.infra:2379",
        "certificate_file": "ca.pem",
        "client_key_file": "key",
        "client_certificate_file": "cert",
    }
    secret = read_etcd_secret(a_secret(members, **{"ca.pem": "A", "key": "K", "cert": "C", "other": "O"}))
    assert secret.of_namespace("team").files == {"ca.pem": b"A", "key": b"K", "cert": b"C"}


def test_with_its_files_in_it_it_is_complete() -> None:
    members = {"endpoints": "https://e:1", "certificate_file": "ca.pem", "certificate": "old", "userid": "u"}
    inlined = json.loads(read_etcd_secret(a_secret(members, **{"ca.pem": PEM})).inlined())
    assert inlined == {"endpoints": "https://e:1", "certificate": PEM, "userid": "u"}


@pytest.mark.parametrize(
    ("endpoints", "completed"),
    [
        pytest.param("http://etcd:2379", "http://etcd.home:2379", id="a Service's name"),
        pytest.param("etcd:2379", "etcd.home:2379", id="without a scheme"),
        pytest.param(
            "http://a:1,http://b.x:2, http://c:3/",
            "http://a.home:1,http://b.x:2, http://c.home:3/",
            id="several",
        ),
        pytest.param("http://etcd.infra:2379", "http://etcd.infra:2379", id="complete already"),
        pytest.param("http://10.0.0.1:2379", "http://10.0.0.1:2379", id="an address"),
        pytest.param("http://localhost:2379", "http://localhost:2379", id="this machine"),
    ],
)
def test_short_names_are_completed_for_another_namespace(endpoints: str, completed: str) -> None:
    assert copied({"endpoints": endpoints}, home="home")["endpoints"] == completed
    assert copied({"endpoints": endpoints})["endpoints"] == endpoints


def test_a_certificate_is_checked_for_the_name_that_it_was_before() -> None:
    assert copied({"endpoints": "https://etcd:2379"}, home="home")["override_authority"] == "etcd"
    named = {"endpoints": "https://etcd:2379", "override_authority": "x"}
    assert copied(named, home="home")["override_authority"] == "x"
    assert "override_authority" not in copied({"endpoints": "http://etcd:2379"}, home="home")


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        pytest.param({}, {"etcd_connection": "is missing"}, id="no entry"),
        pytest.param(
            {"data": {"etcd_connection": "%"}}, {"etcd_connection": "must be base64"}, id="no base64"
        ),
        pytest.param(a_secret([]), {"etcd_connection": "must be a JSON object"}, id="no object"),
        pytest.param(
            {"stringData": {"etcd_connection": "{"}}, {"etcd_connection": "must be a JSON"}, id="no JSON"
        ),
        pytest.param(a_secret({}), {"endpoints": "is missing"}, id="no endpoints"),
        pytest.param(
            a_secret({"endpoints": 7, "password": 8, "client_key": "k", "certificate_file": "ca"}),
            {
                "endpoints": "must be a string",
                "password": "must be a string",
                "client_certificate": "client_key is there",
                "certificate_file": "names an entry that the Secret does not have",
            },
            id="everything at once",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field(manifest: dict[str, Any], told: dict[str, str]) -> None:
    found = complaints(manifest)
    assert set(found) == set(told)
    assert all(text in found[field] for field, text in told.items())


@pytest.mark.parametrize("content", ['{"password": "hunter2", "endpoints": 7}', "hunter2", '["hunter2"]'])
def test_nothing_that_is_secret_is_told(content: str) -> None:
    with pytest.raises(BadManifest) as refused:
        read_etcd_secret({"stringData": {"etcd_connection": content}})
    assert "hunter2" not in str(refused.value)
    fine = read_etcd_secret(a_secret({"endpoints": "e:1", "password": "hunter2"}))
    assert "hunter2" not in repr(fine)


@pytest.mark.parametrize(
    ("secret", "ours"),
    [
        pytest.param(
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": "modelmesh-controller"}}},
            True,
            id="ours",
        ),
        pytest.param({"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}, False, id="theirs"),
        pytest.param({"metadata": {"labels": None}}, False, id="no labels"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_what_somebody_else_made_is_not_ours(secret: dict[str, Any], ours: bool) -> None:
    assert is_ours(secret) is ours


json_value = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
names = st.sampled_from(
    ["endpoints", "certificate_file", "client_key", "client_certificate_file", "root_prefix"]
)


@given(st.dictionaries(names, json_value) | json_value)
def test_whatever_the_secret_holds_it_is_read_or_complained_of(members: object) -> None:
    try:
        secret = read_etcd_secret(a_secret(members, a="A"))
    except BadManifest:
        return
    assert isinstance(secret.of_namespace("team", home="home"), EtcdSecret)
    assert secret.inlined()
