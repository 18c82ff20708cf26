"""`remesh apply`: have what manifests say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.manifest_files import Given, given
from adapter.cli.reaching import Context, Kubeconfig, Mesh, Namespace, Where, reached
from adapter.cli.running import run
from adapter.cluster.commanding import Commanded
from adapter.controller.printing import told_name
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import Manifest

_NOT_COMPARED = ("resourceVersion", "managedFields", "generation")


def command(
    *,
    files: Annotated[
        list[Path],
        typer.Option("--filename", "-f", help="A file, a folder, or - for standard input; may be repeated."),
    ],
    namespace: Namespace = None,
    mesh: Mesh = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Have the objects that these manifests declare: runtimes, models, secrets, settings.

    They go to the local mesh that is up with manifests, which keeps them as files in its folder; else to
    Kubernetes, by server-side apply. Each object is told of by itself; one that is refused keeps no other
    from being applied, and makes the exit status 1.
    """
    run(_apply(files, namespace, Where(mesh=mesh, kubeconfig=kubeconfig, context=context)))


async def _apply(files: list[Path], namespace: str | None, where: Where) -> None:
    async with reached(where) as there:
        objects = given(files, namespace=namespace or there.namespace, must_match=namespace is not None)
        failed = [await _applied(there.cluster, each) for each in objects].count(False)
    if not objects:
        typer.echo("error: no objects passed to apply", err=True)
    if failed or not objects:
        raise typer.Exit(1)


async def _applied(cluster: Commanded, each: Given) -> bool:
    """Whether it was; told either way."""
    if each.key is None or each.manifest is None:
        typer.echo(f"error: {each.source}: {each.complaint}", err=True)
        return False
    try:
        before = await cluster.get(each.key)
        after = await cluster.apply(each.manifest, each.kind)
    except AdapterError as error:
        typer.echo(f"error: {each.source}: {each.key}: {error}", err=True)
        return False
    typer.echo(f"{told_name(each.kind, each.key.name)} {_verb(before, after)}")
    return True


def _verb(before: Manifest | None, after: Manifest) -> str:
    if before is None or before["metadata"].get("uid") != after["metadata"].get("uid"):
        return "created"
    return "unchanged" if _wish(before) == _wish(after) else "configured"


def _wish(manifest: Manifest) -> Mapping[str, object]:
    """Without what changes by itself."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in _NOT_COMPARED}
    return {**{part: value for part, value in manifest.items() if part != "status"}, "metadata": metadata}
