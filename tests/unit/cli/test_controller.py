"""`remesh controller`, up to where it begins to run; what it does then is in `tests/integration`."""

import logging
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from adapter.cli import controller
from adapter.cli.commands import application
from adapter.cli.settings import settings_table
from adapter.controller.settings import ControllerSettings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in settings_table(ControllerSettings):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ControllerSettings]]:
    """The settings of the controllers that would run; the log is put back as it was."""
    running: list[ControllerSettings] = []
    monkeypatch.setattr("adapter.controller.program.run_controller", lambda settings: settings)
    monkeypatch.setattr(controller, "run", running.append)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield running
    root.handlers[:] = handlers
    root.setLevel(level)


def asked(*options: str) -> Result:
    return CliRunner().invoke(application(""), ["controller", *options])


def test_help_names_every_option_of_modelmeshs_controller_and_every_variable() -> None:
    result = asked("--help")
    assert result.exit_code == 0
    for option in (
        "--metrics-addr",
        "--health-probe-bind-address",
        "--enable-leader-election",
        "--leader-elect-type",
        "--leader-elect-lease-duration-sec",
        "--leader-elect-lease-renew-deadline-sec",
        "--leader-elect-retry-period-sec",
    ):
        assert option in result.output
    for name, _, about in settings_table(ControllerSettings):
        assert name in result.output
        assert about in " ".join(result.output.split())


def test_an_option_wins_over_its_variable(
    started: list[ControllerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMESH_METRICS_ADDR", ":1")
    monkeypatch.setenv("REMESH_HEALTH_PROBE_BIND_ADDRESS", ":2")
    times = ["--leader-elect-lease-duration-sec=30s", "--leader-elect-lease-renew-deadline-sec", "20"]
    result = asked("--metrics-addr", "127.0.0.1:9", "--enable-leader-election", *times)
    assert result.exit_code == 0, result.output
    [settings] = started
    assert (settings.metrics_address, settings.probe_address) == ("127.0.0.1:9", ":2")
    assert (settings.leader_election, settings.lease_s, settings.renew_deadline_s) == (True, 30, 20)


@pytest.mark.parametrize(
    ("options", "env", "level", "is_json"),
    [
        pytest.param([], {}, logging.INFO, True, id="by default"),
        pytest.param(["--log-format", "text"], {"LOG_LEVEL": "error"}, logging.ERROR, False, id="as asked"),
        pytest.param([], {"DEV_MODE_LOGGING": ""}, logging.DEBUG, False, id="for developers"),
    ],
)
def test_the_log_is_as_it_is_asked_for(
    started: list[ControllerSettings],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    env: dict[str, str],
    level: int,
    is_json: bool,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert asked(*options).exit_code == 0
    assert started
    [handler] = logging.getLogger().handlers
    assert logging.getLogger().level == level
    assert ("Json" in type(handler.formatter).__name__) is is_json


def test_every_bad_setting_is_told_at_once_and_nothing_runs(
    started: list[ControllerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_ISVC_WATCH", "maybe")
    result = asked("--metrics-addr", "nowhere", "--log-format", "xml")
    assert (result.exit_code, started) == (1, [])
    first, *told = result.output.splitlines()
    assert first == "remesh: these settings must be mended first:"
    assert sorted(line.partition(":")[0] for line in told) == [
        "ENABLE_ISVC_WATCH",
        "REMESH_LOG_FORMAT",
        "REMESH_METRICS_ADDR",
    ]


def test_a_leader_for_life_is_not_to_be_had(started: list[ControllerSettings]) -> None:
    result = asked("--leader-elect-type", "life")
    assert (result.exit_code, started) == (2, [])
    assert "'life' is not one of 'lease'" in result.output
    assert asked("--leader-elect-type", "lease").exit_code == 0
