"""The calls that are answered here now, by model."""

from collections.abc import Mapping

from adapter.domain.ids import ModelId

InFlight = Mapping[ModelId, int]
"""How many calls each model answers here now; those with none are not in it."""
