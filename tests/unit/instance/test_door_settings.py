from pathlib import Path

import pytest

from adapter.cli.settings import BadSettings, read_settings, settings_table
from adapter.http2.flow import Limits
from adapter.instance.settings import InstanceSettings
from adapter.servers.tls import ClientAuth

TLS = {"MM_TLS_KEY_CERT_PATH": "/tls/tls.crt", "MM_TLS_PRIVATE_KEY_PATH": "/tls/tls.key"}
SECRET = "hunter2"

SET_ELSEWHERE = {"header_list_bytes_max": "headers_bytes_max", "age_s_max": "connection_age_s_max"} | {
    "age_grace_s": "connection_age_grace_s"
}
"""Limits whose settings have ModelMesh's names."""


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


def test_unless_something_is_set_the_doors_are_modelmeshs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert (settings.grpc_port, settings.rest_port, settings.message_bytes_max) == (8033, 8008, 16 << 20)
    assert settings.limits == Limits()
    assert (settings.tls, settings.runtime_tls) == (None, None)
    assert not settings.management_apart
    assert not settings.management_names


@pytest.mark.parametrize("limit", sorted(Limits.__dataclass_fields__))
def test_every_limit_has_a_setting_that_it_follows(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    field = InstanceSettings.model_fields[SET_ELSEWHERE.get(limit, limit)]
    assert field.validation_alias is not None
    name = field.validation_alias.choices[0]  # type: ignore[union-attr]  # `named` makes it AliasChoices
    settings = read(monkeypatch, **{str(name): "70000"})
    assert getattr(settings.limits, limit) == 70_000
    others = {
        other: getattr(settings.limits, other) for other in Limits.__dataclass_fields__ if other != limit
    }
    assert others == {other: getattr(Limits(), other) for other in others}


def test_the_limits_of_rest_are_those_of_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        MM_SVC_GRPC_MAX_MSG_SIZE="1000",
        MM_SVC_GRPC_MAX_HEADERS_SIZE="500",
        SHUTDOWN_TIMEOUT_MS="1500",
    )
    options = settings.rest_options
    assert (options.body_bytes_max, options.headers_bytes_max, options.stop_grace_s) == (1000, 500, 1.5)


def test_rest_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_PROXY_LISTEN_PORT", "")
    assert read_settings(InstanceSettings).rest_port is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REMESH_WINDOW_BYTES", "1000"),
        ("REMESH_CONNECTION_WINDOW_BYTES", str(1 << 31)),
        ("REMESH_FRAME_BYTES_MAX", "16383"),
        ("REMESH_STREAMS_MAX", "0"),
        ("REMESH_STALL_S_MAX", "-1"),
        ("MM_SVC_GRPC_MAX_MSG_SIZE", "lots"),
        ("REST_PROXY_LISTEN_PORT", "65536"),
    ],
)
def test_what_no_limit_can_be_is_a_complaint(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (told,) = complaints(monkeypatch, **{name: value})
    assert told.startswith(f"{name}: ")


# TLS.


@pytest.mark.parametrize(
    "names",
    [
        ("MM_TLS_KEY_CERT_PATH", "MM_TLS_PRIVATE_KEY_PATH"),
        ("MM_SVC_GRPC_CA_CERT_PATH", "MM_SVC_GRPC_PRIVATE_KEY_PATH"),
        ("TAS_SVC_GRPC_CA_CERT_PATH", "TAS_SVC_GRPC_PRIVATE_KEY_PATH"),
    ],
    ids=["of today", "older", "oldest"],
)
def test_tls_is_read_from_modelmeshs_variables(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    tls = read(monkeypatch, **dict(zip(names, ("/c", "/k"), strict=True))).tls
    assert tls is not None
    assert (tls.pair.cert_path, tls.pair.key_path) == (Path("/c"), Path("/k"))
    assert not tls.asks_for_certificates


def test_client_certificates_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"MM_TLS_CLIENT_AUTH": "REQUIRE", "MM_TLS_TRUST_CERT_PATH": "/a.pem, /b.pem"}
    tls = read(monkeypatch, **TLS, **env).tls
    assert tls is not None
    assert tls.client_auth is ClientAuth.REQUIRE
    assert tls.trust_paths == (Path("/a.pem"), Path("/b.pem"))


@pytest.mark.parametrize(
    ("env", "about"),
    [
        pytest.param({"MM_TLS_PRIVATE_KEY_PATH": "/k"}, ["MM_TLS_KEY_CERT_PATH"], id="no certificate"),
        pytest.param({"MM_TLS_KEY_CERT_PATH": "/c"}, ["MM_TLS_PRIVATE_KEY_PATH"], id="no key"),
        pytest.param(TLS | {"MM_TLS_CLIENT_AUTH": "MAYBE"}, ["MM_TLS_CLIENT_AUTH"], id="an unknown word"),
        pytest.param(
            {"MM_TLS_CLIENT_AUTH": "REQUIRE"}, ["MM_TLS_CLIENT_AUTH"], id="certificates without TLS"
        ),
        pytest.param(
            {"MM_TLS_PRIVATE_KEY_PATH": "/k", "MM_TLS_CLIENT_AUTH": "MAYBE"},
            ["MM_TLS_CLIENT_AUTH", "MM_TLS_KEY_CERT_PATH"],
            id="two at once",
        ),
    ],
)
def test_tls_that_cannot_be_is_complained_about(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], about: list[str]
) -> None:
    assert [line.partition(":")[0] for line in complaints(monkeypatch, **env)] == about


def test_the_runtime_is_called_over_tls_if_it_is_said_who_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = read(monkeypatch, REMESH_RUNTIME_TLS_TRUST_CERT_PATH="/a.pem,/b.pem").runtime_tls
    assert tls is not None
    assert tls.trust_paths == (Path("/a.pem"), Path("/b.pem"))


# Who may manage.


@pytest.mark.parametrize(
    "env",
    [{"REMESH_MANAGEMENT_PORT": "9000"}, {"REMESH_MANAGEMENT_SOCKET_PATH": "/m.sock"}],
    ids=["port", "socket"],
)
def test_management_can_have_an_address_of_its_own(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    assert read(monkeypatch, **env).management_apart


def test_management_can_be_for_certain_names(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"MM_TLS_CLIENT_AUTH": "OPTIONAL", "REMESH_MANAGEMENT_CLIENTS": "operator, ci ,"}
    assert read(monkeypatch, **TLS, **env).management_names == {"operator", "ci"}


@pytest.mark.parametrize("tls", [{}, TLS], ids=["plaintext", "TLS that asks for no certificate"])
def test_names_need_certificates(monkeypatch: pytest.MonkeyPatch, tls: dict[str, str]) -> None:
    (told,) = complaints(monkeypatch, REMESH_MANAGEMENT_CLIENTS="operator", **tls)
    assert told.startswith("REMESH_MANAGEMENT_CLIENTS: needs client certificates")


# What is told, and to whom.


@pytest.mark.parametrize(
    ("env", "about"),
    [
        pytest.param({"MM_METRICS": "statsd"}, ["MM_METRICS"], id="metrics"),
        pytest.param({"MM_LOG_REQUEST_HEADERS": "["}, ["MM_LOG_REQUEST_HEADERS"], id="logged headers"),
        pytest.param(
            {"MM_PAYLOAD_PROCESSORS": "ftp://a http://"},
            ["MM_PAYLOAD_PROCESSORS"] * 2,
            id="payload processors",
        ),
        pytest.param(
            {"MM_METRICS": "x", "MM_LOG_REQUEST_HEADERS": "7", "MM_PAYLOAD_PROCESSORS": "x"},
            ["MM_METRICS", "MM_LOG_REQUEST_HEADERS", "MM_PAYLOAD_PROCESSORS"],
            id="all at once",
        ),
        pytest.param(
            {"MM_DATAPLANE_CONFIG": "{}", "MM_DATAPLANE_CONFIG_PATH": "/d.json"},
            ["MM_DATAPLANE_CONFIG and MM_DATAPLANE_CONFIG_PATH"],
            id="two configurations of the data plane",
        ),
    ],
)
def test_what_has_no_meaning_is_complained_about(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], about: list[str]
) -> None:
    assert [line.partition(":")[0] for line in complaints(monkeypatch, **env)] == about


SECRETS = {
    "MM_TLS_PRIVATE_KEY_PASSPHRASE": SECRET,
    "MM_PAYLOAD_PROCESSORS": f"https://user:{SECRET}@collector/in",
}


def test_secrets_are_used_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, **TLS, **SECRETS)
    assert settings.tls is not None
    assert settings.tls.pair.passphrase == SECRET
    assert SECRET in settings.payload_processors.get_secret_value()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.tls)):
        assert SECRET not in shown
    assert SECRET not in str(settings_table(InstanceSettings))


def test_secrets_are_in_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    env = SECRETS | {
        "MM_PAYLOAD_PROCESSORS": f"user:{SECRET}@nowhere http://user:{SECRET}@[",
        "MM_METRICS": "x",
    }
    with pytest.raises(BadSettings) as error:
        read(monkeypatch, **env)
    assert SECRET not in str(error.value)
    assert SECRET not in str(error.value.__cause__)
