"""A fleet in memory: whatever is to run is ready at once, unless a test says otherwise."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from adapter.controller.plans import NamespacePlan, RuntimeHealth, RuntimePlan
from adapter.domain.errors import Refused


@dataclass
class MemoryFleet:
    """What runs, by namespace and runtime."""

    plans: dict[tuple[str, str], RuntimePlan] = field(default_factory=dict)
    namespaces: dict[str, NamespacePlan] = field(default_factory=dict)
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    """These do not become ready."""
    refused: dict[str, str] = field(default_factory=dict)
    """Runtimes that cannot run, and why."""
    withdrawn: list[str] = field(default_factory=list)
    runs: int = 0
    _news: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    async def prepare(self, plan: NamespacePlan) -> None:
        self.namespaces[plan.namespace] = plan

    async def withdraw(self, namespace: str) -> None:
        self.withdrawn.append(namespace)
        self.namespaces.pop(namespace, None)
        for key in [key for key in self.plans if key[0] == namespace]:
            self.end(*key)

    async def run(self, plan: RuntimePlan) -> None:
        if plan.runtime.name in self.refused:
            raise Refused(self.refused[plan.runtime.name])
        self.runs += 1
        key = (plan.namespace, plan.runtime.name)
        before = self.plans.get(key)
        self.plans[key] = plan
        if before is None or before.replicas != plan.replicas:
            self._news.put_nowait(key)

    async def stop(self, namespace: str, runtime: str) -> None:
        self.end(namespace, runtime)

    async def seen(self) -> None:
        pass

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        plan = self.plans.get((namespace, runtime))
        if plan is None:
            return RuntimeHealth()
        problem = self.problems.get((namespace, runtime), "")
        ready = 0 if problem else plan.replicas
        return RuntimeHealth(wanted=plan.replicas, ready=ready, problem=problem, marks=plan.marks)

    async def changes(self) -> AsyncIterator[tuple[str, str]]:
        while True:
            yield await self._news.get()

    def addresses(self, namespace: str) -> tuple[str, ...]:
        plan = self.namespaces.get(namespace)
        has_door = plan is not None and plan.door
        ready = has_door or any(self.health(*key).ready for key in self.plans if key[0] == namespace)
        return ("127.0.0.1:8033",) if ready else ()

    # What a test does to it.

    def end(self, namespace: str, runtime: str) -> None:
        if self.plans.pop((namespace, runtime), None) is not None:
            self._news.put_nowait((namespace, runtime))

    def break_down(self, namespace: str, runtime: str, problem: str) -> None:
        """Its instances do not become ready any more; with an empty text they do again."""
        self.problems[namespace, runtime] = problem
        self._news.put_nowait((namespace, runtime))

    def replicas(self, namespace: str = "ns") -> dict[str, int]:
        """Of the runtimes of a namespace."""
        return {name: plan.replicas for (where, name), plan in self.plans.items() if where == namespace}
