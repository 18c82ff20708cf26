"""Why each copy was loaded here, for whoever asks (`remesh explain`)."""

from typing import Final

from adapter.domain.ids import ModelId

REMEMBERED_MAX: Final = 50_000
"""The reason that was noted first is forgotten first."""


class Reasons:
    """One sentence for each model."""

    def __init__(self) -> None:
        self._noted: dict[ModelId, str] = {}

    def note(self, model: ModelId, because: str) -> None:
        """The model is to be loaded here, for this reason."""
        self._noted.pop(model, None)
        self._noted[model] = because
        if len(self._noted) > REMEMBERED_MAX:
            del self._noted[next(iter(self._noted))]

    def of(self, model: ModelId) -> str:
        """Empty: nobody has said why."""
        return self._noted.get(model, "")

    def forget(self, model: ModelId) -> None:
        """The model is registered no more."""
        self._noted.pop(model, None)
