"""`deploy/` as Kustomize and Helm make it."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.integration.conftest import tool
from tests.tools import helm as helm_recipe
from tests.tools import kubernetes as kubernetes_recipe

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"

MESHES = (
    "base",
    *(f"examples/{name}" for name in ("custom-example", "custom-example-uds", "mock-runtime")),
    "examples/type-constraints-example",
)
"""Those without the controller."""

Object = dict[str, Any]


def built(folder: Path) -> list[Object]:
    """What Kustomize makes of a folder."""
    kubectl = tool(kubernetes_recipe.RECIPE).with_name("kubectl")
    command = [str(kubectl), "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def rendered(*words: str) -> list[Object]:
    """What Helm makes of the chart."""
    helm = tool(helm_recipe.RECIPE)
    command = [
        *(str(helm), "template", "remesh", str(DEPLOY / "helm" / "remesh"), "--include-crds"),
        *("--namespace", "model-serving", "--kube-version", kubernetes_recipe.VERSION, *words),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


def the_deployment(objects: list[Object]) -> Object:
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    return deployment


def env_of(container: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}
