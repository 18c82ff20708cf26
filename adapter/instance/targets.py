"""What the runtime, or another instance, is sent of a call."""

from collections.abc import Callable
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.http2.call import Call
from adapter.http2.metadata import metadata_fields
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Edit, Target
from adapter.instance.naming import (
    RECORD_KEY,
    REMEMBERED_CHARS_MAX,
    REMEMBERED_MAX,
    RESOLVED_KEY,
    Reading,
)
from adapter.instance.peer_links import PeerLinks
from adapter.registry.encoding import encode_model
from adapter.wire.headers import HOP_MARK, model_metadata
from adapter.wire.splice import Located, delimited, replace_string

_HOP: Final = metadata_fields([HOP_MARK])


class Targets:
    """Makes them."""

    def __init__(self, *, runtime_name: Callable[[ModelId], str], links: PeerLinks | None) -> None:
        self.runtime: Upstream | None = None
        """Where the runtime answers inference; the program sets it."""
        self._runtime_name = runtime_name
        self._links = links
        self._known: dict[ModelId, tuple[bytes, str]] = {}

    def here(
        self, call: Call, reading: Reading, model: ModelId, vmodel: str, found: Located | None
    ) -> Target:
        """The runtime beside us. Raises `AdapterError` if the message cannot be read."""
        known = self._known.get(model)
        if known is None:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            known = (metadata_fields(model_metadata(model)), self._runtime_name(model))
            if len(model) <= REMEMBERED_CHARS_MAX:
                self._known[model] = known
        fields, name = known
        assert self.runtime is not None
        target = Target(self.runtime, model=model, fields=fields)
        target.vmodel = vmodel
        if reading.injection_path:
            _inject(call, reading, target, found, name)
        return target

    def there(
        self, instance: InstanceId, model: ModelId, vmodel: str, *, to_load: ModelRecord | None = None
    ) -> Target | None:
        """Another instance; with `to_load` it is to load the model first. None: it has just left."""
        assert self._links is not None
        upstream = self._links.upstream(instance)
        if upstream is None:
            return None
        told = [(RESOLVED_KEY, model.encode())]
        if to_load is not None:
            told.append((RECORD_KEY, encode_model(to_load)))
        target = Target(upstream, model=model, fields=_HOP + metadata_fields(told))
        target.vmodel = vmodel
        target.to_peer = True
        if to_load is not None:
            self._links.load_sent(target, instance)
        return target


def _inject(call: Call, reading: Reading, target: Target, found: Located | None, name: str) -> None:
    """Have the first message name the model as the runtime knows it. Raises `AdapterError`."""
    if found is not None and reading.injection_path == reading.id_path and len(reading.id_path) == 1:
        if found.value == name:
            return
        if not call.is_compressed:
            target.edit = Edit(found.length_at, found.end, delimited(name))
            return
    message = call.first_message
    if message is not None:
        replaced = replace_string(message, reading.injection_path, name)
        if replaced is not message:
            target.message = replaced
