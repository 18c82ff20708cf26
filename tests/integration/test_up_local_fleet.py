"""Declared runtimes as processes: real instances and the in-house runtime, as a controller has them run."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.controller.selection.labels import runtime_labels
from adapter.domain.errors import Refused
from adapter.domain.specs import RuntimeSpec
from adapter.peers.mesh_client import MeshClient
from adapter.up.declared_mesh import DeclaredMesh, declared_mesh, out_of_the_box
from adapter.up.local_mesh import local_mesh
from adapter.up.local_runtimes import NotHere
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan

OURS = read_runtime(out_of_the_box()[0])


@pytest.fixture
async def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DeclaredMesh]:
    monkeypatch.setenv("HOME", str(tmp_path))
    plan = MeshPlan(environ=dict(os.environ), port=0, rest_port=0, manifests=tmp_path / "manifests")
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(asyncio.TaskGroup())
        mesh = await stack.enter_async_context(local_mesh(plan, MeshFolder(tmp_path / "mesh"), owner=owner))
        yield await stack.enter_async_context(declared_mesh(mesh))


def a_plan(runtime: RuntimeSpec, *, namespace: str = "default", **changes: Any) -> RuntimePlan:
    labels = runtime_labels(runtime, rest_enabled=True)
    return replace(RuntimePlan(namespace=namespace, runtime=runtime, labels=labels, replicas=1), **changes)


async def prepared(declared: DeclaredMesh, *runtimes: RuntimeSpec, namespace: str = "default") -> None:
    await declared.fleet.prepare(
        NamespacePlan(namespace=namespace, config=declared.config, runtimes=runtimes)
    )


async def until(true: Callable[[], object], seconds: float = 90.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await LoopClock().sleep(0.05)


def ready(declared: DeclaredMesh, namespace: str = "default") -> int:
    return declared.fleet.health(namespace, OURS.name).ready


async def test_a_runtime_runs_and_is_stopped_and_who_calls_then_is_heard(declared: DeclaredMesh) -> None:
    fleet, address = declared.fleet, declared.mesh.whereabouts.grpc
    await prepared(declared, OURS)
    assert fleet.addresses("default") == ()
    await fleet.run(a_plan(OURS, marks={"a": "1"}))
    await until(lambda: ready(declared))
    assert fleet.addresses("default") == (address,)
    assert fleet.served("default").grpc_url == f"grpc://{address}"
    async with MeshClient.connect(address) as client:
        assert await client.models() == []
    await fleet.run(a_plan(OURS, replicas=0, marks={"b": "2"}))
    await until(lambda: not fleet.addresses("default"))
    await until(lambda: not any((declared.mesh.folder.path / "instances").iterdir()))
    assert fleet.health("default", OURS.name).marks == {"b": "2"}
    _, writer = await asyncio.open_connection(*address.split(":"))
    async with asyncio.timeout(10):
        async for namespace in fleet.knocks:
            assert namespace == "default"
            break
    writer.close()


async def test_the_same_plan_again_is_no_change(declared: DeclaredMesh) -> None:
    await prepared(declared, OURS)
    await declared.fleet.run(a_plan(OURS))
    await until(lambda: ready(declared))
    changes = declared.fleet.changes()
    change = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)  # it listens now
    await declared.fleet.run(a_plan(OURS))
    # Whoever hears of a change plans again: this would never end.
    done, _ = await asyncio.wait({change}, timeout=1.0)
    assert not done
    change.cancel()


async def test_a_changed_runtime_is_replaced_while_somebody_answers(declared: DeclaredMesh) -> None:
    await prepared(declared, OURS)
    await declared.fleet.run(a_plan(OURS))
    await until(lambda: ready(declared))
    log = declared.mesh.folder.logs
    identity = replace(OURS.identity, annotations={"maxLoadingConcurrency": "3"})
    await declared.fleet.run(a_plan(replace(OURS, identity=identity)))
    seen = set()

    def is_replaced() -> bool:
        seen.add(bool(declared.fleet.addresses("default")))
        return (log / "up-2.log").exists() and ready(declared) == 1 and len(_instances(declared)) == 1

    await until(is_replaced)
    assert seen == {True}
    assert _instances(declared) == [f"default_{OURS.name}_2"]


def _instances(declared: DeclaredMesh) -> list[str]:
    return [path.name for path in (declared.mesh.folder.path / "instances").iterdir()]


async def test_another_namespace_has_doors_and_keys_of_its_own(declared: DeclaredMesh) -> None:
    fleet = declared.fleet
    with pytest.raises(Refused, match="not prepared"):
        await fleet.run(a_plan(OURS, namespace="other"))
    await prepared(declared, OURS, namespace="other")
    await fleet.run(a_plan(OURS, namespace="other"))
    await until(lambda: ready(declared, "other"))
    assert fleet.addresses("other") != (declared.mesh.whereabouts.grpc,)
    assert fleet.addresses("default") == ()
    assert fleet.kv_store("other").endswith(";rootPrefix=/mm_ns/other")
    await fleet.withdraw("other")
    assert fleet.health("other", OURS.name).wanted == 0


def custom(tmp_path: Path, program: str) -> RuntimeSpec:
    script = tmp_path / "serve.py"
    script.write_text(f"#!/usr/bin/env python3\n{program}\n")
    script.chmod(0o755)
    return read_runtime(
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": "custom", "namespace": "default"},
            "spec": {
                "multiModel": True,
                "grpcEndpoint": "port:8085",
                "supportedModelFormats": [{"name": "x"}],
                "containers": [{"name": "c", "image": "x", "command": [str(script)]}],
            },
        }
    )


async def test_a_crash_loop_is_told_with_its_last_words(declared: DeclaredMesh, tmp_path: Path) -> None:
    runtime = custom(tmp_path, "raise SystemExit('it lacks a licence')")
    await prepared(declared, runtime)
    await declared.fleet.run(a_plan(runtime, replicas=2))
    await until(lambda: declared.fleet.health("default", "custom").problem)
    health = declared.fleet.health("default", "custom")
    assert (health.wanted, health.ready) == (1, 0), "its port can be had once"
    assert "it lacks a licence" in health.problem
    await declared.fleet.stop("default", "custom")
    assert declared.fleet.health("default", "custom").problem == ""


async def test_what_cannot_run_here_is_refused(declared: DeclaredMesh, tmp_path: Path) -> None:
    runtime = custom(tmp_path, "")
    (tmp_path / "serve.py").unlink()
    await prepared(declared, runtime)
    with pytest.raises(NotHere, match="is not on this machine"):
        await declared.fleet.run(a_plan(runtime))
