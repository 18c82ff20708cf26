"""Renders the Helm chart `deploy/helm/remesh` from what Kustomize builds: `python -m tests.tidy.chart`.

With `--check` it changes nothing, and says whether what is committed is fresh. `Chart.yaml` and `values.yaml`
are written by hand; `templates` and `crds` are not.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.tidy.tree import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "remesh"
LABELS = {f"app.kubernetes.io/{key}": "modelmesh-controller" for key in ("instance", "managed-by", "name")}
"""What the kustomizations put on all that belongs to the controller."""

Object = dict[str, Any]
Change = Callable[[Object], None]

OURS = "remesh:0.1.0"
CLUSTER = 'eq .Values.scope "cluster"'
NAMESPACE = 'ne .Values.scope "cluster"'

WRITTEN: Mapping[str, str] = {
    "@image@": '"{{ .Values.image.name }}:{{ .Values.image.tag }}"',
    "@name@": "{{ .Values.image.name | quote }}",
    "@tag@": "{{ .Values.image.tag | quote }}",
    "@replicas@": "{{ .Values.replicas }}",
    "@namespace@": "{{ $.Release.Namespace | quote }}",
    "@each@": "{{ . | quote }}",
    "@scope@": f"{{{{ {NAMESPACE} | quote }}}}",
    "@webhooks@": '{{ ternary "9443" "0" .Values.webhooks | quote }}',
    "@kind@": f"{{{{ if {CLUSTER} }}}}Cluster{{{{ end }}}}ServingRuntime",
}
"""What stands for a value in an object, and what the template says there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Objects of some files, and when they are a part of the release."""

    sources: tuple[str, ...]
    """Below `deploy`; patterns."""
    only_if: str = ""
    each: str = ""
    """A list of namespaces: the objects come once in each."""
    changes: tuple[Change, ...] = ()

    def text(self) -> str:
        """The part of a template."""
        written = "".join(f"---\n{_dumped(each, self.changes)}" for each in self.objects())
        if self.each:
            written = f"{{{{- range {self.each} }}}}\n{written}{{{{- end }}}}\n"
        return f"{{{{- if {self.only_if} }}}}\n{written}{{{{- end }}}}\n" if self.only_if else written

    def objects(self) -> Iterable[Object]:
        """The objects as the files have them."""
        for pattern in self.sources:
            for path in sorted(DEPLOY.glob(pattern)):
                if path.name != "kustomization.yaml":
                    yield from (each for each in yaml.safe_load_all(path.read_text()) if each)


def stamped(manifest: Object) -> None:
    """With the labels of all that is the controller's."""
    metadata = manifest["metadata"]
    metadata["labels"] = LABELS | metadata.get("labels", {})


def for_release(manifest: Object) -> None:
    """The accounts that are bound are those of the release's namespace."""
    for subject in manifest.get("subjects", []):
        subject["namespace"] = "@namespace@"


def in_each(manifest: Object) -> None:
    """In the namespace that it is the turn of, for the account of the release's."""
    manifest["metadata"]["namespace"] = "@each@"
    for subject in manifest["subjects"]:
        subject["namespace"] = "@namespace@"


def with_values(manifest: Object) -> None:
    """The controller's Deployment with what the values say."""
    if manifest["kind"] != "Deployment":
        return
    spec = manifest["spec"]
    spec["replicas"] = "@replicas@"
    container = spec["template"]["spec"]["containers"][0]
    container["image"] = "@image@"
    container["env"] += [
        {"name": "NAMESPACE_SCOPE", "value": "@scope@"},
        {"name": "REMESH_WEBHOOK_PORT", "value": "@webhooks@"},
    ]


def with_image(manifest: Object) -> None:
    """Our runtime is in our image."""
    for container in manifest["spec"]["containers"]:
        if container["image"] == OURS:
            container["image"] = "@image@"


def of_either_scope(manifest: Object) -> None:
    """A ClusterServingRuntime in cluster scope, else a ServingRuntime."""
    manifest["kind"] = "@kind@"


def defaults() -> str:
    """The ConfigMap that `configMapGenerator` makes, with the image of the release."""
    content = yaml.safe_load((DEPLOY / "controller" / "config-defaults.yaml").read_text())
    content["modelMeshImage"] = {"name": "@name@", "tag": "@tag@"}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "model-serving-config-defaults"},
    }
    indented = "".join(f"    {line}\n" for line in _filled(_yaml(content)).splitlines())
    return f"---\n{_dumped(manifest, (stamped,))}data:\n  config-defaults.yaml: |\n{indented}"


USER_CONFIG = """\
{{- with .Values.config }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: model-serving-config
data:
  config.yaml: |
    {{- toYaml . | nindent 4 }}
{{- end }}
"""


def templates() -> dict[str, str]:
    """The files of `templates`, by name."""
    ours = (stamped, for_release)
    runtimes = (stamped, with_image, of_either_scope)
    rbac = [
        Part(sources=("rbac/common/*.yaml",), changes=ours),
        Part(
            sources=("rbac/cluster-scope/*.yaml", "rbac/secrets/*.yaml", "rbac/user-roles/*.yaml"),
            only_if=CLUSTER,
            changes=ours,
        ),
        Part(sources=("rbac/namespace-scope/*.yaml",), only_if=NAMESPACE, changes=ours),
        Part(sources=("rbac/webhooks/*.yaml",), only_if=".Values.webhooks", changes=ours),
        Part(
            sources=("rbac/every-secret/*.yaml",),
            only_if=f"and .Values.everySecret ({CLUSTER})",
            changes=ours,
        ),
        Part(
            sources=("user-namespace/*.yaml",), only_if=CLUSTER, each=".Values.namespaces", changes=(in_each,)
        ),
    ]
    controller = Part(
        sources=("controller/deployment.yaml", "controller/services.yaml", "controller/networkpolicy.yaml"),
        changes=(stamped, with_values),
    )
    return {
        "rbac.yaml": "".join(part.text() for part in rbac),
        "controller.yaml": controller.text() + defaults() + USER_CONFIG,
        "runtimes-modelmesh.yaml": Part(
            sources=("runtimes/modelmesh/*.yaml",), only_if=".Values.runtimes.modelmesh", changes=runtimes
        ).text(),
        "runtimes-remesh.yaml": Part(
            sources=("runtimes/remesh/*.yaml",), only_if=".Values.runtimes.remesh", changes=runtimes
        ).text(),
        "runtimes-kserve.yaml": Part(
            sources=("runtimes/kserve/*.yaml",), only_if=".Values.runtimes.kserve", changes=()
        ).text(),
        "quickstart.yaml": Part(
            sources=("dependencies/etcd/*.yaml", "dependencies/minio/*.yaml"), only_if=".Values.quickstart"
        ).text(),
    }


def files() -> dict[str, str]:
    """All that is rendered, by its path in the chart."""
    head = "{{- /* Rendered by `python -m tests.tidy.chart`; change its sources instead. */ -}}\n"
    rendered = {f"templates/{name}": head + text for name, text in templates().items()}
    for path in sorted((DEPLOY / "crds").glob("*s.yaml")):
        rendered[f"crds/{path.name}"] = path.read_text()
    return rendered


def _dumped(manifest: Object, changes: Iterable[Change]) -> str:
    for change in changes:
        change(manifest)
    # What runtimes have in braces is for the controller, not for Helm.
    kept = re.sub(r"\{\{\.[^}]*\}\}", lambda braces: f'{{{{ "{braces[0]}" }}}}', _yaml(manifest))
    return _filled(kept)


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def _filled(text: str) -> str:
    for mark, written in WRITTEN.items():
        text = text.replace(f"'{mark}'", written).replace(mark, written)
    return text


def differences(committed: Mapping[str, str], fresh: Mapping[str, str]) -> list[str]:
    """What is wrong with the committed files, one line each."""
    missing = [f"{name} is missing" for name in fresh.keys() - committed.keys()]
    left_over = [f"{name} is not rendered any more; delete it" for name in committed.keys() - fresh.keys()]
    stale = [
        f"{name} is not what deploy/ says"
        for name in fresh
        if committed.get(name, fresh[name]) != fresh[name]
    ]
    return sorted([*missing, *left_over, *stale])


def committed() -> dict[str, str]:
    """What lies in the chart and is not written by hand."""
    found = [path for folder in ("templates", "crds") for path in (CHART / folder).glob("*")]
    return {path.relative_to(CHART).as_posix(): path.read_text() for path in found}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tidy.chart", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if it is not fresh")
    fresh = files()
    if parser.parse_args(arguments).check:
        wrong = differences(committed(), fresh)
        sys.stdout.write("".join(f"{line}\n" for line in wrong))
        return 1 if wrong else 0
    for name in committed().keys() - fresh.keys():
        (CHART / name).unlink()
    for name, text in fresh.items():
        place = CHART / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
