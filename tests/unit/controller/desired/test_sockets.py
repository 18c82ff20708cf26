from dataclasses import replace

import pytest

from adapter.controller.desired.sockets import endpoint_env, socket_folders, socket_mounts
from adapter.domain.specs import Endpoint
from tests.unit.controller.desired.examples import RUNTIMES

PORT, SOCKET, BESIDE = (
    Endpoint(port=1),
    Endpoint(socket="/run/r/grpc.sock"),
    Endpoint(socket="/run/r/data.sock"),
)


@pytest.mark.parametrize(
    ("management", "data", "folders"),
    [
        pytest.param(PORT, None, (), id="ports"),
        pytest.param(SOCKET, PORT, ("/run/r",), id="management alone"),
        pytest.param(PORT, SOCKET, ("/run/r",), id="data alone"),
        pytest.param(SOCKET, BESIDE, ("/run/r",), id="both"),
    ],
)
def test_containers_share_the_folder_of_their_sockets(
    management: Endpoint, data: Endpoint | None, folders: tuple[str, ...]
) -> None:
    runtime = replace(RUNTIMES["custom-paths"], grpc_endpoint=management, grpc_data_endpoint=data)
    assert socket_folders(runtime) == folders
    assert [mount["mountPath"] for mount in socket_mounts(runtime)] == list(folders)


def test_an_endpoint_is_told_in_the_variable_of_its_kind() -> None:
    assert endpoint_env(PORT, port="P", socket="S") == {"P": 1}
    assert endpoint_env(SOCKET, port="P", socket="S") == {"S": "/run/r/grpc.sock"}
