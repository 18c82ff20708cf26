import pytest

from adapter.cli.settings import BadSettings, read_settings, settings_table
from adapter.instance.settings import InstanceSettings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in settings_table(InstanceSettings):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **env: str) -> InstanceSettings:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return read_settings(InstanceSettings)


def test_what_modelmesh_is_given_starts_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        MM_SERVICE_NAME="modelmesh-serving",
        MM_SVC_GRPC_PORT="8033",
        WKUBE_POD_NAME="modelmesh-serving-mlserver-1.x-5d8f6c-x7k2p",
        MM_LOCATION="10.0.0.7",
        INTERNAL_GRPC_PORT="8086",
        INTERNAL_SERVING_GRPC_SOCKET_PATH="/tmp/mmesh/grpc.sock",
        MM_KVSTORE_PREFIX="mm",
        MM_METRICS="disabled",
        SHUTDOWN_TIMEOUT_MS="90000",
        MM_DEFAULT_VMODEL_OWNER="ksp",
    )
    assert settings.instance_id == "5d8f6c-x7k2p"
    assert settings.management_address == "127.0.0.1:8086"
    assert settings.serving_address == "unix:/tmp/mmesh/grpc.sock"


def test_an_old_name_is_read_where_the_new_one_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, TAS_SERVICE_NAME="old").service_name == "old"


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_SVC_GRPC_PORT", "1")
    assert read_settings(InstanceSettings, service_name="mm", grpc_port=2).grpc_port == 2


def test_every_complaint_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as error:
        read(
            monkeypatch,
            MM_SVC_GRPC_PORT="many",
            LOADING_CONCURRENCY="0",
            INTERNAL_GRPC_PORT="1",
            INTERNAL_GRPC_SOCKET_PATH="/x",
        )
    told = sorted(line.partition(":")[0] for line in str(error.value).splitlines())
    assert told == [
        "INTERNAL_GRPC_PORT and INTERNAL_GRPC_SOCKET_PATH",
        "LOADING_CONCURRENCY",
        "MM_SERVICE_NAME",
        "MM_SVC_GRPC_PORT",
    ]


def test_a_complaint_does_not_repeat_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as error:
        read(monkeypatch, MM_SERVICE_NAME="mm", MM_SVC_GRPC_PORT="hunter2")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("KV_STORE", "etcd:/opt/kserve/mmesh/etcd/etcd_connection", id="etcd"),
        pytest.param("KV_STORE", "zookeeper:localhost", id="zookeeper"),
        pytest.param("MM_METRICS", "statsd", id="StatsD"),
    ],
)
def test_what_is_not_served_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(BadSettings, match=rf"^{name}\b"):
        read(monkeypatch, MM_SERVICE_NAME="mm", **{name: value})


def test_a_dataplane_configuration_that_cannot_be_used_is_a_complaint_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(BadSettings, match=r"MM_DATAPLANE_CONFIG: rpcConfigs must be an object"):
        read(monkeypatch, MM_SERVICE_NAME="mm", MM_DATAPLANE_CONFIG='{"rpcConfigs": 7}')


def test_spi_only_before_a_built_in_server_needs_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings, match=r"^CONTAINER_MEM_REQ_BYTES: "):
        read(monkeypatch, REMESH_SPI_ONLY="true", REMESH_RUNTIME="mlserver")


@pytest.mark.parametrize(
    ("runtime", "port"), [("mlserver", 8085), ("model-runtime", 8084)], ids=["adapter", "puller"]
)
def test_spi_only_listens_where_a_foreign_mesh_looks(
    monkeypatch: pytest.MonkeyPatch, runtime: str, port: int
) -> None:
    env = {"REMESH_SPI_ONLY": "true", "REMESH_RUNTIME": runtime, "CONTAINER_MEM_REQ_BYTES": "6442450944"}
    assert read(monkeypatch, **env).spi_port == port


def test_capacity_is_the_memory_less_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, MM_SERVICE_NAME="mm", CONTAINER_MEM_REQ_BYTES="6442450944")
    assert settings.capacity_bytes == 6_174_015_488


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("port:8085", "127.0.0.1:8085"), ("unix:/socket/path", "unix:/socket/path")],
    ids=["port", "socket"],
)
def test_the_runtime_behind_the_puller(monkeypatch: pytest.MonkeyPatch, endpoint: str, address: str) -> None:
    settings = read(monkeypatch, REMESH_SPI_ONLY="true", MODEL_SERVER_ENDPOINT=endpoint)
    assert settings.management_address == address


def test_every_setting_says_what_it_is() -> None:
    assert all(about for _, _, about in settings_table(InstanceSettings))
