"""`MM_PAYLOAD_PROCESSORS`: who is shown which requests and responses (reference: ModelMesh core 2.11).

URIs with spaces between them: `logger://*`, `http://collector:8080/in?iris#ModelInfer`. The query names the
model, the fragment the method; either may be `*`, empty or absent for any, and may begin with a slash. Beyond
ModelMesh: `https`; the name of the method alone as well as `package.Service/Method`; and the query also fits
calls that name an alias so. User and password are sent as basic authentication, and never told.
"""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

PROCESSORS_MAX = 16


class BadPayloadProcessors(ValueError):
    """The setting cannot be used; the text lists every complaint, and repeats nothing of any URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadFilter:
    """Which calls; "" is any."""

    model: str = ""
    method: str = ""

    def fits(self, model: str, vmodel: str, method: str) -> bool:
        """`method` is the full name, `package.Service/Method`."""
        return (not self.model or self.model in (model, vmodel)) and (
            not self.method or self.method == method or method.endswith(f"/{self.method}")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorUri:
    """One processor."""

    name: str
    """Scheme, host and port: what may be told of it."""
    filter: PayloadFilter
    url: str = field(default="", repr=False)
    """Where to post; "": to the log."""
    credentials: str | None = field(default=None, repr=False)
    """`user:password`, if the URI has them."""


def parse_processors(text: str) -> list[ProcessorUri]:
    """Read the setting; raises `BadPayloadProcessors` with every complaint at once."""
    uris = text.split()
    if len(uris) > PROCESSORS_MAX:
        raise BadPayloadProcessors(f"MM_PAYLOAD_PROCESSORS: at most {PROCESSORS_MAX} processors")
    found, complaints = [], []
    for position, uri in enumerate(uris, 1):
        try:
            found.append(_processor(uri))
        except ValueError as error:
            complaints.append(f"MM_PAYLOAD_PROCESSORS: number {position}: {error}")
    if complaints:
        raise BadPayloadProcessors("\n".join(complaints))
    return found


def _processor(uri: str) -> ProcessorUri:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise ValueError("is no URI") from None  # its text repeats what was given, password and all
    chosen = PayloadFilter(model=_filter_word(parts.query), method=_filter_word(parts.fragment))
    match parts.scheme:
        case "logger":
            return ProcessorUri(name="logger", filter=chosen)
        case "http" | "https" if parts.hostname:
            where = _host(parts) + (f":{port}" if port is not None else "")
            return ProcessorUri(
                name=f"{parts.scheme}://{where}",
                filter=chosen,
                url=urlunsplit((parts.scheme, where, parts.path or "/", parts.query, "")),
                credentials=_credentials(parts),
            )
        case "http" | "https":
            raise ValueError("names no host")
    raise ValueError("must begin with logger://, http:// or https://")


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _credentials(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _filter_word(text: str) -> str:
    word = unquote(text).removeprefix("/")
    return "" if word == "*" else word
