"""`docker-compose.yml` and the image's scripts, as far as that can be judged without a container engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.settings import settings_table
from tests.integration.conftest import tool
from tests.tools import compose as compose_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, as Compose itself reads them."""
    compose = str(tool(compose_recipe.RECIPE))
    command = [compose, "--file", str(ROOT / "docker-compose.yml"), "config", "--format", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return dict(json.loads(said.stdout)["services"])


def test_there_is_an_instance_for_each_runtime_and_a_filled_store(services: dict[str, Any]) -> None:
    assert services.keys() == {
        "minio",
        "fill",
        "instance-python",
        "runtime-python",
        "instance-mlserver",
        "runtime-mlserver",
    }


def test_versions_are_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_an_instance_is_given_only_settings_that_it_knows(services: dict[str, Any]) -> None:
    known = {name for name, _, _ in settings_table()}
    for name in ("instance-python", "instance-mlserver"):
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
