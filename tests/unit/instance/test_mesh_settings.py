import os
import re
import socket
from pathlib import Path

import pytest

from adapter.cli.settings import BadSettings, read_settings, settings_table
from adapter.instance.settings import InstanceSettings
from adapter.registry.etcd_options import EtcdOptions

TLS = {"MM_TLS_KEY_CERT_PATH": "/tls/tls.crt", "MM_TLS_PRIVATE_KEY_PATH": "/tls/tls.key"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in settings_table(InstanceSettings):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MM_SERVICE_NAME", "mm")


def read(monkeypatch: pytest.MonkeyPatch, **env: str) -> InstanceSettings:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return read_settings(InstanceSettings)


def complaints(monkeypatch: pytest.MonkeyPatch, **env: str) -> list[str]:
    with pytest.raises(BadSettings) as error:
        read(monkeypatch, **env)
    return str(error.value).splitlines()


def test_unless_something_is_set_an_instance_behaves_as_modelmeshs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert (settings.peer_port, settings.probe_port, settings.prestop_port) == (8080, 8089, 8090)
    assert (settings.scaleup_rpm, settings.concurrency_percent, settings.inflight_max) == (2000, 90, 0)
    assert (settings.failfast, settings.bootstrap_ms, settings.lease_s) == (True, 180_000, 10)
    assert (settings.etcd, settings.peers_tls) == (None, None)
    assert not settings.told_constraints()


# Who it is.


@pytest.mark.parametrize(
    ("pod", "id_"),
    [("mm-mlserver-1.x-5d8f6c-x7k2p", "5d8f6c-x7k2p"), ("short", "short")],
    ids=["its last 12 characters", "all of a short one"],
)
def test_an_instance_has_the_id_of_its_pod(monkeypatch: pytest.MonkeyPatch, pod: str, id_: str) -> None:
    assert read(monkeypatch, WKUBE_POD_NAME=pod).instance_id == id_


def test_without_a_pod_it_has_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch).instance_id == os.uname().nodename[-12:]


@pytest.mark.parametrize(
    ("labels", "told"),
    [("", ()), ("gpu, rt:triton ,gpu,", ("gpu", "rt:triton"))],
    ids=["none", "sorted, each once"],
)
def test_labels_are_a_set(monkeypatch: pytest.MonkeyPatch, labels: str, told: tuple[str, ...]) -> None:
    assert read(monkeypatch, MM_LABELS=labels).label_set == told


@pytest.mark.parametrize(
    ("env", "host"),
    [
        pytest.param({"WKUBE_POD_IPADDR": "10.0.0.7"}, "10.0.0.7", id="the pod's"),
        pytest.param({"WATSON_SERVICE_ADDRESS": "10.0.0.8"}, "10.0.0.8", id="by its old name"),
        pytest.param({"REMESH_HOST": "127.0.0.1"}, "127.0.0.1", id="where it listens"),
    ],
)
def test_others_reach_it_where_it_says(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], host: str
) -> None:
    assert read(monkeypatch, **env).advertised_host == host


def test_one_that_listens_everywhere_is_reached_at_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda _name: "10.0.0.9")
    assert read(monkeypatch).advertised_host == "10.0.0.9"


def test_a_host_that_nobody_can_resolve_is_reached_from_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_name: str) -> str:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    assert read(monkeypatch).advertised_host == "127.0.0.1"


# Where its mesh is.


def test_the_registry_is_the_etcd_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = read(monkeypatch, KV_STORE="etcd:127.0.0.1:2379").etcd
    assert isinstance(etcd, EtcdOptions)
    assert etcd.endpoints == ("127.0.0.1:2379",)


def test_where_the_registry_is_stays_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, KV_STORE="etcd:hunter2:2379")
    assert "hunter2" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize("port", ["", "NONE"])
def test_probes_can_be_left_out(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    settings = read(monkeypatch, MM_PROBE_PORT=port, MM_PRESTOP_WAIT_PORT=port)
    assert (settings.probe_port, settings.prestop_port) == (None, None)


@pytest.mark.parametrize(
    ("env", "speaks_tls"),
    [({}, True), ({"MM_ENABLE_SSL": "false"}, False)],
    ids=["as its ports", "unless it is switched off"],
)
def test_instances_speak_tls_where_clients_do(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], speaks_tls: bool
) -> None:
    assert (read(monkeypatch, **TLS, **env).peers_tls is not None) is speaks_tls


def test_instances_show_each_other_certificates_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = read(monkeypatch, **TLS, MM_TRUST_CERTS="/ca.pem").peers_tls
    servers = read(monkeypatch, MM_INTRACLUSTER_CLIENTAUTH="false").peers_tls
    assert both is not None
    assert servers is not None
    assert both.client.trust_paths == (Path("/ca.pem"),)
    assert both.server.asks_for_certificates
    assert not servers.server.asks_for_certificates


def test_constraints_are_read_from_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    constraints = read(monkeypatch, MM_TYPE_CONSTRAINTS='{"t": {"required": ["gpu"]}}').told_constraints()
    assert constraints.required("t") == ("gpu",)


# What cannot be.


@pytest.mark.parametrize(
    ("env", "about"),
    [
        pytest.param({"ZOOKEEPER": "localhost:2181"}, ["ZOOKEEPER"], id="ZooKeeper"),
        pytest.param({"KV_STORE": "redis:x"}, ["KV_STORE"], id="an unknown registry"),
        pytest.param({"WKUBE_POD_NAME": "a/b"}, ["WKUBE_POD_NAME"], id="a slash in the id"),
        pytest.param({"WKUBE_POD_NAME": "a,b"}, ["WKUBE_POD_NAME"], id="a comma in the id"),
        pytest.param({"MM_TYPE_CONSTRAINTS": "{"}, ["MM_TYPE_CONSTRAINTS"], id="bad constraints"),
        pytest.param(
            {"MM_TYPE_CONSTRAINTS": "{}", "MM_TYPE_CONSTRAINTS_PATH": "/c.json"},
            ["MM_TYPE_CONSTRAINTS and MM_TYPE_CONSTRAINTS_PATH"],
            id="constraints twice",
        ),
        pytest.param(
            {"ZOOKEEPER": "x", "WKUBE_POD_NAME": "a/b", "MM_TYPE_CONSTRAINTS": "7"},
            ["ZOOKEEPER", "WKUBE_POD_NAME", "MM_TYPE_CONSTRAINTS"],
            id="all at once",
        ),
    ],
)
def test_what_has_no_meaning_is_complained_about(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], about: list[str]
) -> None:
    assert [re.split(":| is ", line)[0] for line in complaints(monkeypatch, **env)] == about


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MM_KVSTORE_PREFIX", "a/b"),
        ("REMESH_LEASE_S", "1"),
        ("MM_CONC_SCALEUP_BANDWIDTH_PCT", "9"),
        ("MM_CONC_SCALEUP_BANDWIDTH_PCT", "201"),
        ("MM_SCALEUP_RPM_THRESHOLD", "0"),
        ("MM_PROBE_PORT", "no"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_is_out_of_bounds_is_a_complaint(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert complaints(monkeypatch, **{name: value})[0].startswith(name)
