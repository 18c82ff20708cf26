"""Which path means what (reference: KServe 4.1, 4.3, 4.4; runtime adapter 9.2).

Segments are percent-encoded UTF-8, so that a model's name can have anything in it, `/` as `%2F`. As
ModelMesh's REST proxy has it, what is not here is 404 with code 5. These of its ways are not kept:

- A known path with another method is 405 with `Allow`, and code 12 in the body; there it was 501.
- `HEAD` is answered where `GET` is.
- A form, or `X-HTTP-Method-Override`, never turns a POST into a GET.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import parse_qsl, unquote_to_bytes

from adapter.domain.errors import InvalidRequest
from adapter.servers.rest_answers import UnknownPath, WrongMethod

PATHS_REMEMBERED = 2048
"""As many paths are taken apart once only."""

QUERY_FIELDS_MAX = 16


class Action(Enum):
    """What a request asks for."""

    ALIVE = "alive"
    SERVER = "server metadata"
    SERVER_LIVE = "server live"
    SERVER_READY = "server ready"
    NAMES = "names of models"
    METADATA = "model metadata"
    MODEL_READY = "model ready"
    INFER = "infer"
    INDEX = "repository index"
    LOAD = "load"
    UNLOAD = "unload"
    V1_READY = "V1 model ready"
    V1_PREDICT = "V1 predict"
    V1_EXPLAIN = "V1 explain"


@dataclass(frozen=True, slots=True)
class Route:
    """An action, and the model that the path names."""

    action: Action
    model: str = ""
    version: str = ""


_POSTED = frozenset(
    {Action.INFER, Action.INDEX, Action.LOAD, Action.UNLOAD, Action.V1_PREDICT, Action.V1_EXPLAIN}
)


def route(method: str, raw_path: bytes, query: bytes = b"") -> Route:
    """What is asked for. Raises `UnknownPath`, `WrongMethod`, and `InvalidRequest` for what is not UTF-8."""
    found = _at(raw_path)
    allowed = ("POST",) if found.action in _POSTED else ("GET", "HEAD")
    if method not in allowed:
        raise WrongMethod(f"Method Not Allowed: this path takes {allowed[0]}, not {method}", allowed=allowed)
    if query and found.model and not found.version:
        return Route(found.action, found.model, _version_asked(query))
    return found


def infer_route(url: bytes) -> Route | None:
    """The same for a POST whose URL is the path of an inference and nothing else; None: it is not."""
    if not url.startswith(_MODELS) or not url.endswith(_INFER) or b"?" in url or b"#" in url:
        return None
    try:
        found = _at(url)
    except (UnknownPath, InvalidRequest):
        return None
    return found if found.action is Action.INFER else None


_MODELS, _INFER = b"/v2/models/", b"/infer"


@lru_cache(maxsize=PATHS_REMEMBERED)
def _at(raw_path: bytes) -> Route:
    match raw_path.split(b"/")[1:]:
        case [b"v2", b"models", _, *_] as segments:
            found = _model_route(segments[2], segments[3:])
        case [b"v2", b"repository", b"models", name, action]:
            found = _named(_REPOSITORY_ACTIONS.get(action), name)
        case [b"v1", b"models", name] if name:
            found = _v1_route(name)
        case _:
            action_of_server = _SERVER_PATHS.get(raw_path)
            found = Route(action_of_server) if action_of_server else None
    if found is None:
        shown = raw_path[:200].decode("ascii", "replace")
        raise UnknownPath(f"Not Found: {shown} is no path of this server")
    return found


_SERVER_PATHS: Mapping[bytes, Action] = {
    b"/": Action.ALIVE,
    b"/v2": Action.SERVER,
    b"/v2/": Action.SERVER,
    b"/v2/health/live": Action.SERVER_LIVE,
    b"/v2/health/ready": Action.SERVER_READY,
    b"/v2/models": Action.NAMES,
    b"/v2/repository/index": Action.INDEX,
    b"/v1/models": Action.NAMES,
}

_MODEL_ACTIONS: Mapping[tuple[bytes, ...], Action] = {
    (): Action.METADATA,
    (b"ready",): Action.MODEL_READY,
    (b"infer",): Action.INFER,
}

_REPOSITORY_ACTIONS: Mapping[bytes, Action] = {b"load": Action.LOAD, b"unload": Action.UNLOAD}

_V1_ACTIONS: Sequence[tuple[bytes, Action]] = (
    (b":predict", Action.V1_PREDICT),
    (b":explain", Action.V1_EXPLAIN),
)


def _model_route(name: bytes, rest: list[bytes]) -> Route | None:
    """What stands behind `/v2/models/`."""
    version = b""
    if len(rest) > 1 and rest[0] == b"versions":
        version, rest = rest[1], rest[2:]
        if not version:
            return None
    return _named(_MODEL_ACTIONS.get(tuple(rest)), name, version)


def _v1_route(name: bytes) -> Route | None:
    for ending, action in _V1_ACTIONS:
        if name.endswith(ending):
            return _named(action, name.removesuffix(ending))
    return _named(Action.V1_READY, name)


def _named(action: Action | None, name: bytes, version: bytes = b"") -> Route | None:
    if action is None or not name:
        return None
    return Route(action, _decoded(name, "model"), _decoded(version, "version"))


def _decoded(segment: bytes, what: str) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the {what} in the path must be percent-encoded UTF-8") from error


def _version_asked(query: bytes) -> str:
    """`?version=`, which ModelMesh's proxy has for metadata."""
    try:
        fields = parse_qsl(query.decode("ascii"), max_num_fields=QUERY_FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise InvalidRequest(f"the query must be percent-encoded UTF-8: {error}") from error
    return dict(fields).get("version", "")
