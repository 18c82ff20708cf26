"""A failed load, and how long it is not tried again (reference: ModelMesh core 4.1, 4.9)."""

from dataclasses import dataclass, replace
from typing import Final, Self

from adapter.domain.errors import AdapterError

IN_USE_S: Final = 180.0
"""A model that was used so recently is in use: its failure expires in half the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a load failed, and when.

    Whoever waits is given an error like `error`, never that very object: an exception gathers the frames of
    everyone who raises it.
    """

    error: AdapterError
    at_s: float
    expires_s: float = 0.0
    """From then on it is tried again. Set by the cache."""

    @property
    def text(self) -> str:
        """`CODE: text`, as status calls list failures."""
        return self.error.described

    def dated(self, *, expiry_s: float, used_s: float) -> Self:
        """With its time of expiry, and without the frames that its error would keep alive."""
        lasts_s = self.error.remember_s
        if lasts_s is None:
            lasts_s = expiry_s / 2 if self.at_s - used_s <= IN_USE_S else expiry_s
        error = type(self.error)(*self.error.args)
        return replace(self, error=error, expires_s=self.at_s + lasts_s)

    def in_use(self, *, expiry_s: float) -> Self:
        """Somebody waits for the model, so half the time is enough."""
        if self.error.remember_s is not None:
            return self
        return replace(self, expires_s=min(self.expires_s, self.at_s + expiry_s / 2))

    def counts(self, now_s: float) -> bool:
        """It is too early to try again."""
        return now_s < self.expires_s
