"""`docker-compose.yml` and the image's scripts, as far as that can be judged without a container engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.settings import settings_table
from adapter.instance.settings import InstanceSettings
from adapter.registry.etcd_options import read_etcd_options
from tests.integration.conftest import tool
from tests.tools import compose as compose_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file, as Compose itself reads it."""
    compose = str(tool(compose_recipe.RECIPE))
    command = [compose, "--file", str(ROOT / "docker-compose.yml"), "config", "--format", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return dict(json.loads(said.stdout))


@pytest.fixture(scope="module")
def services(composed: dict[str, Any]) -> dict[str, Any]:
    return dict(composed["services"])


INSTANCES = ("instance-1", "instance-2", "instance-mlserver")


def test_there_are_pairs_of_instance_and_runtime_a_registry_and_a_filled_store(
    services: dict[str, Any],
) -> None:
    runtimes = {name.replace("instance", "runtime") for name in INSTANCES}
    assert services.keys() == {"minio", "fill", "etcd", *INSTANCES, *runtimes}
    for name in INSTANCES:
        runtime = services[name.replace("instance", "runtime")]
        assert runtime["network_mode"] == f"service:{name}"
        assert runtime["volumes"] == services[name]["volumes"]


def test_two_instances_are_one_mesh(services: dict[str, Any]) -> None:
    one, two = (services[name]["environment"] for name in INSTANCES[:2])
    differing = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert differing == {"WKUBE_POD_NAME"}
    assert one["MM_SERVICE_NAME"] != services["instance-mlserver"]["environment"]["MM_SERVICE_NAME"]


def test_all_are_given_the_same_secrets_where_their_settings_look(services: dict[str, Any]) -> None:
    mounted = [
        {config["source"]: config["target"] for config in services[name]["configs"]} for name in INSTANCES
    ]
    assert mounted == [mounted[0]] * len(INSTANCES)
    assert mounted[0]["local-minio"].startswith("/storage-config/")
    for name in INSTANCES:
        assert services[name]["environment"]["KV_STORE"] == f"etcd:{mounted[0]['etcd-connection']}"


def test_the_connection_is_one_that_an_instance_can_read(composed: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "etcd_connection").write_text(composed["configs"]["etcd-connection"]["content"])
    options = read_etcd_options(f"etcd:{tmp_path / 'etcd_connection'}")
    assert options.endpoints == ("etcd:2379",)
    assert options.tls is None


def test_versions_are_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_an_instance_is_given_only_settings_that_it_knows(services: dict[str, Any]) -> None:
    known = {name for name, _, _ in settings_table(InstanceSettings)}
    for name in INSTANCES:
        assert services[name]["environment"].keys() <= known


@pytest.mark.parametrize(
    ("name", "runtime"),
    [("puller", "model-runtime"), ("mlserver-adapter", "mlserver"), ("triton-adapter", "triton")],
)
def test_modelmeshs_names_start_the_spi(tmp_path: Path, name: str, runtime: str) -> None:
    """The script is called by the name that a manifest calls; a stand-in for `remesh` tells its words."""
    remesh = tmp_path / "remesh"
    remesh.write_text('#!/bin/sh\necho "$@"\n')
    remesh.chmod(0o755)
    adapter = tmp_path / name
    adapter.symlink_to(ROOT / "deploy" / "image" / "adapter")
    said = subprocess.run(
        [adapter], capture_output=True, text=True, check=True, env={"PATH": f"{tmp_path}:/bin:/usr/bin"}
    )
    assert said.stdout == f"instance --spi-only --runtime {runtime}\n"
