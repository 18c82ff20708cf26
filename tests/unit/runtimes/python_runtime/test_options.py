import pytest

from runtimes.python_runtime.options import BadOptions, read_options


def test_a_flag_goes_before_a_variable_and_that_before_the_default() -> None:
    environment = {"PYTHON_RUNTIME_GRPC_PORT": "7001", "PYTHON_RUNTIME_REST_PORT": "7002"}
    options = read_options(["--grpc-port", "9001"], environment)
    assert (options.grpc_port, options.rest_port, options.host) == (9001, 7002, "127.0.0.1")


def test_mlservers_environment_starts_it() -> None:
    environment = {
        "MLSERVER_MODELS_DIR": "/models/_mlserver_models/",
        "MLSERVER_GRPC_PORT": "8001",
        "MLSERVER_HTTP_PORT": "8002",
        "MLSERVER_HOST": "0.0.0.0",
        "MLSERVER_LOAD_MODELS_AT_STARTUP": "false",
        "MLSERVER_MODEL_NAME": "dummy-model-fixme",
    }
    options = read_options([], environment)
    assert options.models_dir == "/models/_mlserver_models/"
    assert (options.host, options.grpc_port, options.rest_port) == ("0.0.0.0", 8001, 8002)


def test_our_variable_goes_before_mlservers() -> None:
    options = read_options([], {"MLSERVER_GRPC_PORT": "1", "PYTHON_RUNTIME_GRPC_PORT": "2"})
    assert options.grpc_port == 2


def test_a_door_can_be_off() -> None:
    assert read_options(["--rest-port", "off"], {}).rest_port is None
    assert read_options(["--grpc-port", "off", "--grpc-socket", "/tmp/s"], {}).grpc_port is None


def test_every_complaint_comes_at_once_and_names_who_said_it() -> None:
    with pytest.raises(BadOptions) as caught:
        read_options(
            ["--rest-port", "x"], {"MLSERVER_GRPC_PORT": "99999", "PYTHON_RUNTIME_REQUESTS_MAX": "0"}
        )
    complaints = str(caught.value).splitlines()
    assert [complaint.split()[0] for complaint in complaints] == [
        "MLSERVER_GRPC_PORT",
        "--rest-port",
        "PYTHON_RUNTIME_REQUESTS_MAX",
    ]


def test_without_any_grpc_nobody_could_load() -> None:
    with pytest.raises(BadOptions, match="nobody could load"):
        read_options(["--grpc-port", "off"], {})


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["--help"], {})
    told = capsys.readouterr().out
    assert "MLSERVER_MODELS_DIR" in told
    assert "v2/repository/models/NAME/load" in told
