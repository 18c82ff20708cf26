"""What a flavour is given, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runtimes.python_runtime.settings import ModelSettings
from runtimes.python_runtime.signature import Arrays, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a model lies, and what its settings say."""

    name: str
    folder: str
    """The model's folder: the one that holds `model-settings.json`."""
    path: str
    """The model itself: a file, or for Python functions the folder of the code."""
    settings: ModelSettings


class Model(Protocol):
    """A loaded model. It is asked by several threads at once.

    Implementations have `__slots__`: there are tens of thousands of them in a process.
    """

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        ...

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        """Answer a request that fits the signature; with no outputs named, the usual one.

        What is wrong with the request raises `ValueError` or `TypeError`; every other error is the model's.
        """
        ...
