import asyncio

import pytest

from adapter.domain.errors import Code, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.instance.several import MODELS_MAX
from adapter.wire.headers import Pair
from tests.unit.instance.meshed import AnInstance

BOTH: list[Pair] = [("mm-model-id", "iris"), ("mm-model-id", "mnist")]
ALL: Pair = ("mm-required", "all")


async def test_each_model_is_asked_and_the_answers_come_one_after_the_other(instance: AnInstance) -> None:
    for name in ("iris", "mnist"):
        await instance.registered(name)
    answer = await instance.ask(b"same", metadata=[*BOTH, ("user", "me"), ("x-bin", b"\x01")])
    assert (answer.code, answer.message) == (Code.OK, b"samesame")
    assert sorted(seen.blocks[0]["mm-model-id"] for seen in instance.inference.asked) == ["iris", "mnist"]
    assert {seen.blocks[0]["user"] for seen in instance.inference.asked} == {"me"}
    assert {seen.blocks[0]["x-bin"] for seen in instance.inference.asked} == {"AQ"}


async def test_so_many_at_once_and_no_more(instance: AnInstance) -> None:
    names = [f"m{number}" for number in range(5)]
    for name in names:
        await instance.load(await instance.registered(name))
    instance.inference.holds = True
    asking = asyncio.ensure_future(instance.ask(b"x", metadata=[("mm-model-id", name) for name in names]))
    await asyncio.sleep(1)
    assert len(instance.inference.asked) == instance.settings.multi_parallelism == 4
    instance.inference.answer_all()
    assert (await asking).message == b"x" * 5


async def test_what_is_not_registered_is_left_out(instance: AnInstance) -> None:
    await instance.registered("iris")
    answer = await instance.ask(b"x", metadata=BOTH)
    assert (answer.code, answer.message) == (Code.OK, b"x")


@pytest.mark.parametrize(
    ("registered", "more"),
    [((), []), (("iris",), [ALL])],
    ids=["none is registered", "all are required"],
)
async def test_otherwise_they_are_not_found(
    instance: AnInstance, registered: tuple[str, ...], more: list[Pair]
) -> None:
    for name in registered:
        await instance.registered(name)
    assert (await instance.ask(b"x", metadata=[*BOTH, *more])).code is Code.NOT_FOUND


async def test_the_first_failure_ends_the_others(instance: AnInstance) -> None:
    for name in ("iris", "mnist"):
        await instance.registered(name)
    instance.disk.failures[ModelId("iris")] = ObjectMissing("nothing there")
    await instance.load(ModelId("mnist"))
    instance.inference.holds = True
    answer = await instance.ask(b"x", metadata=BOTH)
    assert (answer.code, answer.text) == (Code.FAILED_PRECONDITION, "nothing there")
    await asyncio.sleep(1)
    assert [seen.reset is not None for seen in instance.inference.asked] == [True]


async def test_the_deadline_is_that_of_each(instance: AnInstance) -> None:
    for name in ("iris", "mnist"):
        await instance.load(await instance.registered(name))
    instance.inference.holds = True
    assert (await instance.ask(b"x", metadata=BOTH, timeout_s=5.0)).code is Code.DEADLINE_EXCEEDED
    assert instance.clock.now_s() == pytest.approx(5.0, abs=0.6)


async def test_more_models_than_allowed_are_refused(instance: AnInstance) -> None:
    many: list[Pair] = [("mm-model-id", f"m{number}") for number in range(MODELS_MAX + 1)]
    answer = await instance.ask(b"x", metadata=many)
    assert answer.code is Code.INVALID_ARGUMENT
    assert f"at most {MODELS_MAX}" in answer.text


async def test_the_callers_wait_is_over_when_it_leaves(instance: AnInstance) -> None:
    for name in ("iris", "mnist"):
        await instance.load(await instance.registered(name))
    await _leaves(instance)
    for name in ("iris", "mnist"):
        instance.loader.drop(ModelId(name))
    await asyncio.sleep(1)
    assert instance.runtime.held == {}


async def _leaves(instance: AnInstance) -> None:
    instance.inference.holds = True
    asking = asyncio.ensure_future(instance.ask(b"x", metadata=BOTH))
    await asyncio.sleep(1)
    asking.cancel()
    await asyncio.sleep(1)
