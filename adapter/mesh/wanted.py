"""The question that routing and placement answer: which model, for whom, and what has been tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One model that is asked for."""

    model: ModelId
    type: str
    """Of the registration; decides which instances may hold it."""
    copies: Mapping[InstanceId, CopyRecord] = field(default_factory=dict)
    """As the mesh's table has them."""
    here: InstanceId
    held_here: CopyState | None = None
    """What this instance's own cache says, which is right where the table lags behind."""
    excluded: Mapping[InstanceId, str] = field(default_factory=dict)
    """Those that were tried for this request in vain, each with the reason."""
    balanced: bool = False
    """The caller spreads its calls over the instances itself."""
    used_ms: int = 0
    """When it was last used; now, for a request."""
    size_bytes: int = 0
    """As far as it is known; 0: it is not."""
    sent_to: InstanceId | None = None
    """Where another call has just been sent to have it loaded, which the mesh's table does not show yet."""
