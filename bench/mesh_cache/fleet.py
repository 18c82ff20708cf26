"""Models for the traces: how big they are, and how long each takes to load.

Sizes are log-normal, the half of them between 15 and 110 MB, one in a hundred above 1.3 GB: what is served by
the thousand is mostly small (Clockwork, OSDI 2020, appendix A, and AlpaServe, OSDI 2023, table 1, list 40 MB
to 10 GB for vision and language models; scikit-learn and XGBoost models are smaller). To load one takes a
first byte from the store and then 90 MB/s (as AWS documents for one connection to S3: 100 to 200 ms, 85 to
90 MB/s), and what its framework takes to start a model, with a third more or less by chance.
"""

import math
from dataclasses import dataclass
from random import Random

FIRST_BYTE_S = 0.15
PULL_BYTES_PER_S = 90e6
STARTS_S = (0.05, 0.3, 1.0, 2.0)
"""scikit-learn, ONNX, PyTorch, TensorFlow."""
SIZE_MEDIAN_BYTES = 40e6
SIZE_SIGMA = 1.5
SIZE_BYTES_MIN, SIZE_BYTES_MAX = 100_000, 8_000_000_000
CHANCE_SIGMA = 0.3


@dataclass(frozen=True, slots=True)
class Served:
    """One model of a trace."""

    size_bytes: int
    load_s: float

    def at_most(self, size_bytes: int) -> "Served":
        """The model, or a smaller one where that would hardly fit."""
        return self if self.size_bytes <= size_bytes else Served(size_bytes, self.load_s)


def mixed(chance: Random, models: int) -> list[Served]:
    """Models of all sizes."""
    return [_mixed(chance) for _ in range(models)]


def alike(models: int) -> list[Served]:
    """Models of one size and cost, where only the order of the requests counts."""
    return [Served(50_000_000, 1.0)] * models


def _mixed(chance: Random) -> Served:
    size = chance.lognormvariate(math.log(SIZE_MEDIAN_BYTES), SIZE_SIGMA)
    size_bytes = int(min(max(size, SIZE_BYTES_MIN), SIZE_BYTES_MAX))
    load_s = FIRST_BYTE_S + size_bytes / PULL_BYTES_PER_S + chance.choice(STARTS_S)
    return Served(size_bytes, load_s * chance.lognormvariate(0.0, CHANCE_SIGMA))
