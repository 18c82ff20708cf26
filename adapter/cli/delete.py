"""`remesh delete`: have objects no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from adapter.aio.clock import LoopClock
from adapter.cli.asked_for import asked_for, labels_of
from adapter.cli.manifest_files import given
from adapter.cli.reaching import Context, Kubeconfig, Mesh, Namespace, Reached, Where, reached
from adapter.cli.running import run
from adapter.cluster.commanding import Commanded
from adapter.controller.printing import not_found, told_kind
from adapter.domain.errors import AdapterError, InvalidRequest
from adapter.domain.kinds import Key, key_of

LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to go."""

    words: Sequence[str]
    files: Sequence[Path]
    selector: str
    every: bool
    namespace: str | None


def command(  # noqa: PLR0913 - its options
    resource: Annotated[list[str] | None, typer.Argument(help="TYPE NAME..., or TYPE/NAME...")] = None,
    *,
    files: Annotated[
        list[Path] | None,
        typer.Option("--filename", "-f", help="What this file, folder or standard input (-) declares."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All objects of the type.")] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Those with these labels: NAME=VALUE,...")
    ] = "",
    namespace: Namespace = None,
    ignore_not_found: Annotated[
        bool, typer.Option("--ignore-not-found", help="What is not there is no error.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Until they are gone: their models are unloaded.")] = True,
    timeout: Annotated[float, typer.Option(help="So many seconds at most.", min=0)] = 60.0,
    mesh: Mesh = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Have objects no more: models are unregistered and unloaded, runtimes end.

    In a local mesh their declarations are taken out of the files of its folder.
    """
    asked = _Asked(
        words=resource or (), files=files or (), selector=selector, every=every, namespace=namespace
    )
    where = Where(mesh=mesh, kubeconfig=kubeconfig, context=context)
    run(_delete(asked, where, wait_s=timeout if wait else 0.0, forgiving=ignore_not_found))


async def _delete(asked: _Asked, where: Where, *, wait_s: float, forgiving: bool) -> None:
    if bool(asked.words) == bool(asked.files):
        raise InvalidRequest("say what is to go: TYPE NAME..., or -f FILE")
    async with reached(where) as there:
        keys, complaints = await _keys(there, asked)
        going = []
        for key in keys:
            try:
                uid = await _gone(there.cluster, key)
            except AdapterError as error:
                complaints.append(f"error: {key}: {error}")
                continue
            if uid:
                going.append((key, uid))
            elif not forgiving:
                complaints.append(not_found(key))
        complaints += await _waited(there.cluster, going, wait_s)
    for complaint in complaints:
        typer.echo(complaint, err=True)
    if complaints:
        raise typer.Exit(1)


async def _keys(there: Reached, asked: _Asked) -> tuple[list[Key], list[str]]:
    """What is meant, and what is wrong with the files."""
    namespace = asked.namespace or there.namespace
    if asked.files:
        objects = given(asked.files, namespace=namespace, must_match=asked.namespace is not None)
        complaints = [f"error: {each.source}: {each.complaint}" for each in objects if each.key is None]
        return [each.key for each in objects if each.key is not None], complaints
    keys: list[Key] = []
    for each in asked_for(asked.words):
        if each.names:
            keys += each.keys(namespace)
        elif asked.every or asked.selector:
            labels = labels_of(asked.selector) or None
            within = namespace if each.kind.namespaced else None
            listed = await there.cluster.list(each.kind, namespace=within, labels=labels)
            keys += [key_of(manifest, each.kind) for manifest in listed]
        else:
            raise InvalidRequest("resource(s) were provided, but no name was specified; or say --all")
    return keys, []


async def _gone(cluster: Commanded, key: Key) -> str:
    """The uid of what goes now; empty: it is not there."""
    there = await cluster.get(key)
    uid = str(there["metadata"].get("uid") or "") if there is not None else ""
    if there is None or not await cluster.delete(key, uid=uid):
        return ""
    typer.echo(f'{told_kind(key.kind)} "{key.name}" deleted')
    return uid


async def _waited(cluster: Commanded, going: Sequence[tuple[Key, str]], wait_s: float) -> list[str]:
    """Until they are gone; what is said of those that are not."""
    clock = LoopClock()
    ends_s = clock.now_s() + wait_s
    complaints = []
    for key, uid in going if wait_s else ():
        while (there := await cluster.get(key)) is not None and there["metadata"].get("uid") == uid:
            if clock.now_s() >= ends_s:
                finalizers = ", ".join(there["metadata"].get("finalizers") or ()) or "none"
                complaints.append(f"error: {key} is not gone yet; its finalizers: {finalizers}")
                break
            await clock.sleep(LOOK_EVERY_S)
    return complaints
