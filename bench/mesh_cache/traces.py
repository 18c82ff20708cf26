"""Ten traces of requests, generated after published shapes. All seeds are fixed.

Each says where its shape comes from. `THE_THREE` are of what this cache is for, requests to many small
deployments: by popularity, with rates as wide apart as they were measured to be, and for several models at a
time. `bursts` is of that kind too, and is not among them: nearly all that is left to load there is the first
model of a burst, which nobody can foretell; a cache that was told the true rates of all models spent 0.78 of
what LRU does (room for 40 % of the models) to 0.90 (for 5 %). The others are there to find the cases in
which a policy does badly. Three of them, with models of one size and cost, leave nothing to gain but from the
order of the requests; one of these, `recency`, is the model of requests for which LRU is the best that can be
done.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from bench.mesh_cache.fleet import Served, alike, mixed

THE_THREE = ("zipf", "functions", "pipelines")
RATE_S = 10.0
"""Requests in a second, but for `functions`."""
DAY_S = 86_400.0
_SEED = 20_190_715


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in the order of time, for models by their places."""

    name: str
    models: Sequence[Served]
    requests: Sequence[tuple[float, int]]
    capacity_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How one trace is made."""

    name: str
    source: str
    capacity_share: float
    """Of all models, by bytes, so much fits."""
    requests: Callable[[Random, int, int], list[tuple[float, int]]]
    alike: bool = False
    models_share: float = 1.0
    """Of as many models as the others have: each needs many more requests."""

    def trace(self, *, models: int, requests: int) -> Trace:
        """About so many requests for so many models; the same ones each time."""
        models = int(models * self.models_share)
        chance = Random(f"{_SEED} {self.name}")
        served = alike(models) if self.alike else mixed(chance, models)
        made = self.requests(chance, models, requests)
        capacity_bytes = int(self.capacity_share * sum(model.size_bytes for model in served))
        served = [model.at_most(capacity_bytes // 4) for model in served]
        return Trace(name=self.name, models=served, requests=made, capacity_bytes=capacity_bytes)


class _Zipf:
    """Draws places, the first the most often: with weights 1/place^alpha."""

    def __init__(self, places: int, alpha: float) -> None:
        self._sums = list(accumulate((place + 1) ** -alpha for place in range(places)))

    def draw(self, chance: Random) -> int:
        return bisect_left(self._sums, chance.random() * self._sums[-1])


def _steadily(chance: Random, drawn: Sequence[int]) -> list[tuple[float, int]]:
    """At random moments (Poisson), `RATE_S` in the mean."""
    times = accumulate(chance.expovariate(RATE_S) for _ in drawn)
    return list(zip(times, drawn, strict=True))


def _shuffled(chance: Random, places: int) -> list[int]:
    """Which model has which place; sizes say nothing of popularity."""
    order = list(range(places))
    chance.shuffle(order)
    return order


def zipf(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Independent draws, alpha 0.9."""
    law = _Zipf(models, 0.9)
    return _steadily(chance, [law.draw(chance) for _ in range(requests)])


def functions(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """A day of serverless functions; rates log-normal: 45 % at most hourly, 81 % at most once a minute.

    That is a median of 1.7 an hour and 1.77 decades, so eight decades from the rarest to the busiest. Three
    of ten come by a timer; of the others some by chance, some in bursts (CV 4), with half as much again by
    day as by night. A model counts once in 20 seconds: requests sooner than that find it with any policy, and
    they would be nearly all. The trace is as long as so many requests make it, at most a day.
    """
    merged_s = 20.0
    rates = [10 ** chance.gauss(0.2227, 1.772) / 3600 for _ in range(models)]
    lasts_s = min(DAY_S, requests / sum(min(rate, 1 / merged_s) for rate in rates))
    made = []
    for model, rate in enumerate(rates):
        kind = chance.random()
        at_s = chance.random() / rate
        while at_s < lasts_s:
            if kind < 0.3 or chance.random() < 0.8 + 0.2 * math.sin(2 * math.pi * at_s / DAY_S):
                made.append((at_s, model))
            if kind < 0.3:
                gap_s = 1 / rate
            elif kind < 0.8:
                gap_s = chance.expovariate(rate)
            else:
                gap_s = chance.gammavariate(1 / 16, 16 / rate)
            at_s += max(gap_s, merged_s)
    made.sort()
    return made


def bursts(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Each model by itself: gamma-distributed gaps of CV 3, rates after a power law with exponent 0.9."""
    squared_cv = 9.0
    weights = [(place + 1) ** -0.9 for place in range(models)]
    lasts_s = requests / RATE_S
    made = []
    for model, weight in enumerate(weights):
        rate = RATE_S * weight / sum(weights)
        at_s = -chance.random() * squared_cv / rate
        while at_s < lasts_s:
            if at_s >= 0:
                made.append((at_s, model))
            at_s += chance.gammavariate(1 / squared_cv, squared_cv / rate)
    made.sort()
    return made


def scan(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Half of all requests go round all models in a loop, half are Zipf's."""
    law, order = _Zipf(models, 0.8), _shuffled(chance, models)
    drawn = [
        order[law.draw(chance)] if chance.random() < 0.5 else number // 2 % models
        for number in range(requests)
    ]
    return _steadily(chance, drawn)


def drift(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Zipf's with alpha 0.9, where all the time some model gets the place of another, popular one."""
    law, order = _Zipf(models, 0.9), _shuffled(chance, models)
    drawn = []
    for number in range(requests):
        if number % max(requests // (2 * models), 1) == 0:
            one, other = chance.randrange(models), law.draw(chance)
            order[one], order[other] = order[other], order[one]
        drawn.append(order[law.draw(chance)])
    return _steadily(chance, drawn)


def uniform(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Any model, at any time."""
    return _steadily(chance, [chance.randrange(models) for _ in range(requests)])


def recency(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """What was used lately is used again: depths in the LRU stack are log-normal. Here LRU is the best."""
    stack = _shuffled(chance, models)
    drawn = []
    for _ in range(requests):
        depth = int(chance.lognormvariate(math.log(models * 0.03), 1.8))
        model = stack.pop(min(depth, models - 1))
        stack.insert(0, model)
        drawn.append(model)
    return _steadily(chance, drawn)


def phases(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Ten times another twelfth of the models is hot, and never again: what was used much is of no use."""
    hot, order = models // 12, _shuffled(chance, models)
    law = _Zipf(hot, 0.9)
    drawn = [
        order[number * 10 // requests * hot + law.draw(chance)]
        if chance.random() < 0.9
        else chance.randrange(models)
        for number in range(requests)
    ]
    return _steadily(chance, drawn)


def pipelines(chance: Random, models: int, requests: int) -> list[tuple[float, int]]:
    """Groups of two to eight models are called one after the other; the groups are Zipf's."""
    order, groups = _shuffled(chance, models), []
    while order:
        size = chance.randint(2, 8)
        groups.append(order[:size])
        del order[:size]
    law = _Zipf(len(groups), 0.8)
    drawn: list[int] = []
    while len(drawn) < requests:
        drawn.extend(groups[law.draw(chance)])
    return _steadily(chance, drawn)


SHAPES = (
    Shape(
        name="zipf",
        source="Breslau et al., INFOCOM 1999: popularity of web objects",
        capacity_share=0.2,
        requests=zipf,
    ),
    Shape(
        name="functions",
        source="Shahrad et al., ATC 2020: Azure Functions 2019, figures 3 to 6",
        capacity_share=0.2,
        requests=functions,
        models_share=0.1,
    ),
    Shape(
        name="bursts",
        source="Li et al. (AlpaServe), OSDI 2023: Azure's functions for models, gamma gaps",
        capacity_share=0.2,
        requests=bursts,
    ),
    Shape(
        name="scan",
        source="Megiddo and Modha (ARC), FAST 2003; Jiang and Zhang (LIRS), 2002: scans and loops",
        capacity_share=0.2,
        requests=scan,
    ),
    Shape(
        name="drift",
        source="Traverso et al., CCR 2013: popularity that comes and goes",
        capacity_share=0.1,
        requests=drift,
    ),
    Shape(
        name="uniform",
        source="the worst case of ModelMesh's own load test, and of ours",
        capacity_share=0.3,
        requests=uniform,
    ),
    Shape(
        name="recency",
        source="Mattson et al., 1970; Almeida et al., 1996: log-normal LRU stack distances",
        capacity_share=0.1,
        requests=recency,
        alike=True,
    ),
    Shape(
        name="phases",
        source="Denning, 1968: working sets; the adversary of frequency; one size and cost",
        capacity_share=0.06,
        requests=phases,
        alike=True,
    ),
    Shape(
        name="pipelines",
        source="Shahrad et al., ATC 2020, figure 1: applications of several functions",
        capacity_share=0.2,
        requests=pipelines,
    ),
    Shape(
        name="alike",
        source="Breslau et al., as zipf, with models of one size and cost",
        capacity_share=0.1,
        requests=zipf,
        alike=True,
    ),
)
