"""Short forms of the ten traces, the same each time: what is promised of the cache, without a clock."""

from random import Random

import pytest

from bench.mesh_cache.__main__ import figures
from bench.mesh_cache.fleet import mixed
from bench.mesh_cache.replay import Spent, replay
from bench.mesh_cache.traces import SHAPES, THE_THREE, Shape

IDS = [shape.name for shape in SHAPES]


def against_lru(shape: Shape, *, models: int, requests: int) -> float:
    trace = shape.trace(models=models, requests=requests)
    return replay(trace, "lhd").load_s / replay(trace, "lru").load_s


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_it_spends_hardly_more_than_lru_on_any_trace(shape: Shape) -> None:
    assert against_lru(shape, models=500, requests=10_000) <= 1.02


@pytest.mark.parametrize("shape", [each for each in SHAPES if each.name in THE_THREE], ids=THE_THREE)
def test_it_spends_at_most_three_quarters_on_what_it_is_for(shape: Shape) -> None:
    assert against_lru(shape, models=500, requests=12_000) <= 0.75


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_trace_is_the_same_each_time_and_goes_forward(shape: Shape) -> None:
    trace = shape.trace(models=300, requests=2000)
    assert trace == shape.trace(models=300, requests=2000)
    assert list(trace.requests) == sorted(trace.requests)
    assert {place for _, place in trace.requests} <= set(range(len(trace.models)))
    assert max(model.size_bytes for model in trace.models) <= trace.capacity_bytes


def test_models_are_as_big_as_they_are_said_to_be() -> None:
    sizes = sorted(model.size_bytes for model in mixed(Random(1), 10_000))
    assert sizes[2500] == pytest.approx(15e6, rel=0.1)
    assert sizes[7500] == pytest.approx(110e6, rel=0.1)
    assert sizes[9900] == pytest.approx(1.3e9, rel=0.15)


def test_the_figures_tell_the_worst_and_the_three() -> None:
    played = {
        name: {"lru": Spent(10, 5, 100.0), "gdsf": Spent(10, 4, 90.0), "lhd": Spent(10, 3, ours)}
        for name, ours in (("zipf", 60.0), ("functions", 50.0), ("pipelines", 70.0), ("recency", 101.0))
    }
    told = figures(played)
    assert told["worst_of_ten"] == 1.01
    assert told["the_three"] == {"zipf": 0.6, "functions": 0.5, "pipelines": 0.7}
