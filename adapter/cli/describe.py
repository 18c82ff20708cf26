"""`remesh describe`: one object in full, with what happened to it."""

from typing import Annotated

import typer

from adapter.aio.clock import LoopClock
from adapter.cli.asked_for import Asked, asked_for
from adapter.cli.reaching import Context, Kubeconfig, Mesh, Namespace, Reached, Where, reached
from adapter.cli.running import run
from adapter.controller.describing import about, description
from adapter.controller.printing import not_found
from adapter.domain.kinds import EVENT, Manifest


def command(
    resource: Annotated[list[str], typer.Argument(help="TYPE [NAME...], or TYPE/NAME.")],
    *,
    events: Annotated[bool, typer.Option("--events/--no-events", help="What happened to it, too.")] = True,
    namespace: Namespace = None,
    mesh: Mesh = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Say everything of an object: what was declared, its status, and what happened to it.

    Why a model is not served is in its status, in words that say what to change. Where its copies are, and
    why it is cold, says `remesh explain NAME`.
    """
    where = Where(mesh=mesh, kubeconfig=kubeconfig, context=context)
    run(_describe(where, resource, namespace, with_events=events))


async def _describe(where: Where, words: list[str], namespace: str | None, *, with_events: bool) -> None:
    asked = asked_for(words)
    missing: list[str] = []
    pages: list[str] = []
    async with reached(where) as there:
        for each in asked:
            found, unknown = await _found(there, each, namespace or there.namespace)
            missing += unknown
            for manifest in found:
                told = await _events_of(there, manifest, each) if with_events else []
                lines = description(manifest, each.kind, events=told, now_ms=LoopClock().epoch_ms())
                pages.append("\n".join(lines))
    if pages:
        typer.echo("\n\n\n".join(pages))
    elif not missing:
        typer.echo(f"No resources found in {namespace or there.namespace} namespace.", err=True)
    for complaint in missing:
        typer.echo(complaint, err=True)
    if missing:
        raise typer.Exit(1)


async def _found(there: Reached, asked: Asked, namespace: str) -> tuple[list[Manifest], list[str]]:
    """The objects, and what is said of those that are not there."""
    if not asked.names:
        within = namespace if asked.kind.namespaced else None
        return list(await there.cluster.list(asked.kind, namespace=within)), []
    looked = [(key, await there.cluster.get(key)) for key in asked.keys(namespace)]
    found = [manifest for _, manifest in looked if manifest is not None]
    return found, [not_found(key) for key, manifest in looked if manifest is None]


async def _events_of(there: Reached, manifest: Manifest, asked: Asked) -> list[Manifest]:
    place = str(manifest["metadata"].get("namespace") or "") or None
    return about(await there.cluster.list(EVENT, namespace=place), manifest, asked.kind)
