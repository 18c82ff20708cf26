"""What the environment of a controller says, read as the command reads it."""

from pathlib import Path

import pytest

from adapter.cli.settings import BadSettings, read_settings, settings_table
from adapter.controller import settings as module
from adapter.controller.settings import ControllerSettings, listening_at


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, _, _ in settings_table(ControllerSettings):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "NAMESPACE_FILE", tmp_path / "namespace")


def read(monkeypatch: pytest.MonkeyPatch, **env: str) -> ControllerSettings:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return read_settings(ControllerSettings)


def test_what_modelmeshs_controller_is_given_starts_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        NAMESPACE="modelmesh-serving",
        POD_NAME="modelmesh-controller-5d8f6c-x7k2p",
        NAMESPACE_SCOPE="true",
        ETCD_SECRET_NAME="etcd",
        ENABLE_ISVC_WATCH="true",
        ENABLE_CSR_WATCH="false",
        ENABLE_SECRET_WATCH="",
        DEV_MODE_LOGGING="",
        CONTROLLER_DEPLOYMENT="modelmesh-controller",
    )
    assert settings.own_namespace == "modelmesh-serving"
    assert settings.namespace_scope
    assert (settings.isvc_watch, settings.csr_watch, settings.secret_watch) == ("true", "false", "")
    assert settings.dev_mode_logging is not None


def test_without_any_variable_it_is_as_modelmeshs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert (settings.own_namespace, settings.namespace_scope) == ("model-serving", False)
    assert settings.etcd_secret_name == "model-serving-etcd"
    assert (settings.lease_s, settings.renew_deadline_s, settings.retry_s) == (15, 10, 2)
    assert (settings.metrics_address, settings.probe_address) == (":8080", ":8081")
    assert settings.dev_mode_logging is None


@pytest.mark.parametrize(
    ("mounted", "namespace"),
    [("serving\n", "serving"), ("\n", "model-serving"), (None, "model-serving")],
    ids=["the pod's", "empty", "no pod"],
)
def test_the_namespace_is_the_pods(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounted: str | None, namespace: str
) -> None:
    if mounted is not None:
        (tmp_path / "namespace").write_text(mounted)
    assert read(monkeypatch).own_namespace == namespace


@pytest.mark.parametrize("written", ["20", "20s", "20.0"])
def test_times_are_seconds_as_gos_flags_have_them(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    assert read(monkeypatch, REMESH_LEADER_ELECT_LEASE_DURATION_S=written).lease_s == 20


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (":8080", ("0.0.0.0", 8080)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("0", None),
        (":0", None),
    ],
)
def test_an_address_is_where_something_listens(address: str, found: tuple[str, int] | None) -> None:
    assert listening_at(address) == found


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REMESH_METRICS_ADDR", "8080x"),
        ("REMESH_METRICS_ADDR", ""),
        ("REMESH_HEALTH_PROBE_BIND_ADDRESS", ":65536"),
        ("REMESH_HEALTH_PROBE_BIND_ADDRESS", ":²"),
        ("ENABLE_ISVC_WATCH", "maybe"),
        ("NAMESPACE_SCOPE", "perhaps"),
        ("REMESH_LEADER_ELECT_RETRY_PERIOD_S", "2m"),
        ("REMESH_LEADER_ELECT_RETRY_PERIOD_S", "0"),
        ("REMESH_LEADER_ELECT_RETRY_PERIOD_S", "nan"),
        ("REMESH_LEADER_ELECT_LEASE_DURATION_S", "inf"),
        ("REMESH_RESYNC_S", "0"),
        ("REMESH_RESYNC_S", "inf"),
        ("REMESH_WORKERS", "0"),
        ("REMESH_WEBHOOK_PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("REMESH_LOG_FORMAT", "xml"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(BadSettings, match=rf"^{variable}\b"):
        read(monkeypatch, **{variable: value})


@pytest.mark.parametrize(("lease", "renew", "retry"), [("10", "10", "2"), ("15", "2", "2"), ("5", "10", "2")])
def test_the_times_of_the_election_must_leave_room_for_each_other(
    monkeypatch: pytest.MonkeyPatch, lease: str, renew: str, retry: str
) -> None:
    with pytest.raises(BadSettings, match="retry period, renew deadline and lease duration"):
        read(
            monkeypatch,
            REMESH_LEADER_ELECT_LEASE_DURATION_S=lease,
            REMESH_LEADER_ELECT_RENEW_DEADLINE_S=renew,
            REMESH_LEADER_ELECT_RETRY_PERIOD_S=retry,
        )


def test_every_complaint_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as error:
        read(
            monkeypatch,
            REMESH_METRICS_ADDR="x",
            REMESH_WORKERS="none",
            REMESH_LEADER_ELECT_LEASE_DURATION_S="1",
        )
    told = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert sorted(told) == ["REMESH_LEADER_ELECT_...", "REMESH_METRICS_ADDR", "REMESH_WORKERS"]


def test_every_setting_says_what_it_is() -> None:
    assert all(about for _, _, about in settings_table(ControllerSettings))
