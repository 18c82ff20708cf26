"""A control plane of Kubernetes: API server, controller manager, scheduler; and kubectl.

All four are one version, built from the one module that has them. That module replaces the modules of
Kubernetes' other libraries by folders of its own repository; here they are their releases.
"""

from pathlib import Path

from tests.tools.recipe import Recipe, Workshop, go_missing, version_of

MINOR = "34"
PATCH = "4"
VERSION = f"v1.{MINOR}.{PATCH}"
MODULE = "k8s.io/kubernetes"

# The order is that of their use: who waits for `kubectl` waits least.
PROGRAMS = ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

# fmt: off
LIBRARIES = (
    "api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go",
    "cloud-provider", "cluster-bootstrap", "code-generator", "component-base", "component-helpers",
    "controller-manager", "cri-api", "cri-client", "csi-translation-lib",
    "dynamic-resource-allocation", "endpointslice", "externaljwt", "kms", "kube-aggregator",
    "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet", "metrics",
    "mount-utils", "pod-security-admission", "sample-apiserver", "sample-cli-plugin",
    "sample-controller",
)
# fmt: on

# Else clients, and the servers among each other, cannot tell which version they speak to.
STAMPS = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": MINOR}


def _build(workshop: Workshop) -> None:
    _write_module(workshop.staging)
    workshop.run("go", "-C", workshop.staging, "mod", "tidy")
    stamps = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in STAMPS.items())
    build = ("go", "-C", str(workshop.staging), "build", "-trimpath", "-ldflags", f"-s -w {stamps}")
    for program in PROGRAMS:
        built = workshop.staging / program
        workshop.run(*build, "-o", built, f"{MODULE}/cmd/{program}", env={"CGO_ENABLED": "0"})
        place = workshop.cache / "bin" / program
        place.parent.mkdir(parents=True, exist_ok=True)
        built.replace(place)


def _write_module(folder: Path) -> None:
    replaced = "".join(f"\tk8s.io/{name} => k8s.io/{name} v0.{MINOR}.{PATCH}\n" for name in LIBRARIES)
    (folder / "go.mod").write_text(
        "module remesh/tools\n\ngo 1.24.0\n\ngodebug default=go1.24\n\n"
        f"require {MODULE} {VERSION}\n\nreplace (\n{replaced})\n"
    )
    imported = "".join(f'\t_ "{MODULE}/cmd/{program}"\n' for program in PROGRAMS)
    (folder / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{imported})\n")


RECIPE = Recipe(
    name="kubernetes",
    version=version_of(VERSION, PROGRAMS, LIBRARIES),
    program="bin/kube-apiserver",
    takes="4 to 15 minutes with an empty Go cache",
    missing=lambda: go_missing("Kubernetes"),
    build=_build,
)
