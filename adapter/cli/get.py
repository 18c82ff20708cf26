"""`remesh get`: declared objects as kubectl shows them, and the models of the mesh."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, NoReturn

import typer

from adapter.aio.clock import LoopClock
from adapter.cli import models
from adapter.cli.addresses import DEFAULT_ADDRESS, Address
from adapter.cli.asked_for import Asked, asked_for, labels_of
from adapter.cli.reaching import Context, Kubeconfig, Mesh, Namespace, Reached, Where, reached
from adapter.cli.running import run
from adapter.cluster.cluster import Listed
from adapter.cluster.local_text import written
from adapter.controller.printing import Printer, columns, document, not_found, shown, told_name
from adapter.domain.errors import InvalidRequest
from adapter.domain.kinds import Manifest


class Form(Enum):
    """How objects are printed."""

    TABLE = ""
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Output = Annotated[Form, typer.Option("--output", "-o", help="wide, json, yaml or name; default: a table.")]


def command(  # noqa: PLR0913 - its options
    resource: Annotated[
        list[str],
        typer.Argument(
            help="TYPE [NAME...], TYPE/NAME, or models. TYPE: isvc, predictors, servingruntimes, ..."
        ),
    ],
    *,
    output: Output = Form.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on printing what changes.")] = False,
    namespace: Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Objects of all namespaces.")
    ] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Only objects with these labels: NAME=VALUE,...")
    ] = "",
    headers: Annotated[bool, typer.Option("--headers/--no-headers", help="Titles above the table.")] = True,
    mesh: Mesh = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    copies: Annotated[
        bool, typer.Option("--copies", help="Of models: which instances have each; asks once for each.")
    ] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Show declared objects (remesh get isvc), or the registered models (remesh get models).

    Objects are those of the local mesh that is up with manifests, else of Kubernetes. Columns, names and
    options are kubectl's. What can be shown: inferenceservices (isvc), predictors, servingruntimes (sr),
    clusterservingruntimes (csr), secrets, configmaps (cm), namespaces (ns), events (ev).

    `remesh get models` asks the mesh itself what is registered and in which state, with the reason of a load
    that failed; `remesh explain NAME` says more of one.
    """
    if resource == ["models"]:
        run(models.list_models(address, with_copies=copies))
        return
    where = Where(mesh=mesh, kubeconfig=kubeconfig, context=context)
    getting = Getting(
        form=output,
        selector=selector,
        namespace=namespace,
        everywhere=all_namespaces,
        watch=watch,
        headers=headers,
    )
    run(_get(where, resource, getting))


@dataclass(frozen=True, slots=True, kw_only=True)
class Getting:
    """What is wanted of the objects, and how they are printed."""

    form: Form
    selector: str
    namespace: str | None
    everywhere: bool
    watch: bool
    headers: bool


async def _get(where: Where, words: Sequence[str], getting: Getting) -> None:
    asked = asked_for(words)
    if getting.watch and (len(asked) > 1 or len(asked[0].names) > 1):
        raise InvalidRequest("--watch follows one type, or one object")
    async with reached(where) as there:
        if getting.watch:
            await _watch(there, asked[0], getting)
        else:
            await _print(there, asked, getting)


async def _print(there: Reached, asked: Sequence[Asked], getting: Getting) -> None:
    namespace = getting.namespace or there.namespace
    sets: list[tuple[Asked, list[Manifest]]] = []
    missing = []
    for each in asked:
        if each.names:
            found = [(key, await there.cluster.get(key)) for key in each.keys(namespace)]
            missing += [not_found(key) for key, manifest in found if manifest is None]
            sets.append((each, [manifest for _, manifest in found if manifest is not None]))
        else:
            within = None if getting.everywhere or not each.kind.namespaced else namespace
            labels = labels_of(getting.selector)
            listed = await there.cluster.list(each.kind, namespace=within, labels=labels or None)
            sets.append((each, sorted(listed, key=_place)))
    _show(sets, getting)
    if (
        not missing
        and not any(manifests for _, manifests in sets)
        and getting.form in (Form.TABLE, Form.WIDE)
    ):
        in_place = "" if getting.everywhere else f" in {namespace} namespace"
        typer.echo(f"No resources found{in_place}.", err=True)
    if missing:
        _complain(missing)


def _show(sets: Sequence[tuple[Asked, Sequence[Manifest]]], getting: Getting) -> None:
    manifests = [manifest for _, each in sets for manifest in each]
    if getting.form in (Form.JSON, Form.YAML):
        single = len(sets) == 1 and len(sets[0][0].names) == 1
        if manifests or not single:
            typer.echo(_text(document(manifests, single=single), getting.form), nl=False)
        return
    blocks = [_block(asked, each, getting) for asked, each in sets if each]
    typer.echo("\n\n".join("\n".join(block) for block in blocks) + "\n" if blocks else "", nl=False)


def _block(asked: Asked, manifests: Sequence[Manifest], getting: Getting) -> list[str]:
    if getting.form is Form.NAME:
        return [told_name(asked.kind, manifest["metadata"]["name"]) for manifest in manifests]
    return _printer(asked, getting).lines(manifests, headers=getting.headers)


def _printer(asked: Asked, getting: Getting) -> Printer:
    now_ms = LoopClock().epoch_ms()
    wide = getting.form is Form.WIDE
    return Printer(columns(asked.kind, now_ms=now_ms, wide=wide, namespace=getting.everywhere))


async def _watch(there: Reached, asked: Asked, getting: Getting) -> None:
    namespace = getting.namespace or there.namespace
    within = None if getting.everywhere or not asked.kind.namespaced else namespace
    last: dict[tuple[str, str], Manifest] = {}
    printer, is_first = _printer(asked, getting), True
    async for news in there.cluster.follow(asked.kind, namespace=within):
        if isinstance(news, Listed):
            told = [each for each in sorted(news.objects, key=_place) if last.get(_place(each)) != each]
            last = {_place(each): each for each in news.objects}
        elif news.manifest is None:
            # The last that was known of it is told again, as kubectl does.
            gone = last.pop((news.key.namespace, news.key.name), None)
            told = [] if gone is None else [gone]
        else:
            told = [news.manifest]
            last[_place(news.manifest)] = news.manifest
        wanted = [each for each in told if _is_wanted(each, asked, getting)]
        if wanted:
            _tell(wanted, asked, getting, printer, is_first=is_first)
            is_first = False


def _tell(
    told: Sequence[Manifest], asked: Asked, getting: Getting, printer: Printer, *, is_first: bool
) -> None:
    if getting.form in (Form.JSON, Form.YAML):
        for each in told:
            mark = "---\n" if getting.form is Form.YAML else ""
            typer.echo(mark + _text(shown(each), getting.form), nl=False)
    elif getting.form is Form.NAME:
        for each in told:
            typer.echo(told_name(asked.kind, each["metadata"]["name"]))
    else:
        # The ages are those of now; the widths stay.
        printer.columns = _printer(asked, getting).columns
        for line in printer.lines(told, headers=is_first and getting.headers):
            typer.echo(line)


def _is_wanted(manifest: Manifest, asked: Asked, getting: Getting) -> bool:
    labels = manifest["metadata"].get("labels") or {}
    return (not asked.names or manifest["metadata"]["name"] in asked.names) and (
        labels_of(getting.selector).items() <= labels.items()
    )


def _place(manifest: Manifest) -> tuple[str, str]:
    return str(manifest["metadata"].get("namespace") or ""), str(manifest["metadata"]["name"])


def _text(value: Manifest, form: Form) -> str:
    return written(value) if form is Form.YAML else json.dumps(value, indent=4, sort_keys=True) + "\n"


def _complain(complaints: Sequence[str]) -> NoReturn:
    for complaint in complaints:
        typer.echo(complaint, err=True)
    raise typer.Exit(1)
