"""Where etcd is and how to be let in: what `KV_STORE=etcd:<x>` says.

`<x>` is the path of a JSON file, which is how the secret `etcd_connection` is mounted, or else
`host:port[,host:port...][;rootPrefix=<prefix>]` (reference: ModelMesh core 3.1, serving controller 6.1). An
endpoint may also be `unix:PATH`, as the embedded registry's is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SCHEME: Final = "etcd:"
TLS_MODES: Final = ("TLS", "PLAINTEXT", "AUTO")
_HOST_AND_PORT: Final = re.compile(r"(?:[^\s/:\[\]@]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>\d{1,5})")
_PORT_MAX: Final = 65_535


class BadEtcdOptions(ValueError):
    """`KV_STORE`, or the file that it names, is wrong; the text says which field, and never a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdTls:
    """How both sides prove who they are. All of it is PEM."""

    authority: bytes | None = None
    """Who signs the server's certificate; None: whom gRPC trusts anyway."""
    client_certificate: bytes | None = None
    client_key: bytes | None = field(default=None, repr=False)
    override_authority: str = ""
    """The name in the server's certificate, if it is not the host of the endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdOptions:
    """One etcd, and the part of its keys that is ours."""

    endpoints: tuple[str, ...]
    """`host:port` or `unix:path`; any of them will do."""
    root_prefix: str = ""
    """Stands before every key, as it is: a `/` must be in it if one is meant."""
    userid: str = ""
    password: str = field(default="", repr=False)
    tls: EtcdTls | None = None


def read_etcd_options(kv_store: str) -> EtcdOptions:
    """What `KV_STORE` says, and the files that it names. Raises `BadEtcdOptions`."""
    if not kv_store.startswith(SCHEME):
        kind = kv_store.partition(":")[0]
        raise BadEtcdOptions(f"KV_STORE is to be etcd:FILE or etcd:HOST:PORT,...; {kind!r} is not supported")
    where = kv_store.removeprefix(SCHEME).strip()
    try:
        content = Path(where).read_text(encoding="utf-8") if Path(where).is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise BadEtcdOptions(f"KV_STORE: {where} cannot be read: {_reason(error)}") from error
    if content is None:
        return _inline(where)
    return _Config(Path(where), content).options()


def read_etcd_connection(content: str) -> EtcdOptions:
    """What the JSON of an `etcd_connection` says; certificates must be in it. Raises `BadEtcdOptions`."""
    return _Config(Path("etcd_connection"), content).options()


def _inline(where: str) -> EtcdOptions:
    endpoints, *settings = where.split(";")
    root_prefix = ""
    for setting in filter(None, settings):
        name, equals, value = setting.partition("=")
        if name != "rootPrefix" or not equals:
            raise BadEtcdOptions(f"KV_STORE: only ;rootPrefix=PREFIX may follow the endpoints, not {name!r}")
        root_prefix = value
    if endpoints.startswith(("/", "./", "../")):
        raise BadEtcdOptions(f"KV_STORE: there is no file {endpoints}")
    schemes, targets = _endpoints(endpoints, "KV_STORE")
    tls = EtcdTls() if schemes[0] == "https" else None
    return EtcdOptions(endpoints=targets, root_prefix=root_prefix, tls=tls)


def _endpoints(text: str, field_name: str) -> tuple[Sequence[str], tuple[str, ...]]:
    """The scheme of each, which may be empty, and what gRPC connects to."""
    schemes, targets = [], []
    for endpoint in filter(None, (part.strip() for part in text.split(","))):
        scheme, target = _endpoint(endpoint, field_name)
        schemes.append(scheme)
        targets.append(target)
    if not targets:
        raise BadEtcdOptions(f"{field_name}: no endpoint; name at least one HOST:PORT")
    return schemes, tuple(dict.fromkeys(targets))


def _endpoint(endpoint: str, field_name: str) -> tuple[str, str]:
    if endpoint.startswith("unix:"):
        path = endpoint.removeprefix("unix:")
        if not path.strip("/"):
            raise BadEtcdOptions(f"{field_name}: {endpoint!r} names no socket; it is to be unix:PATH")
        return "", endpoint
    scheme, separator, rest = endpoint.rpartition("://")
    if separator and scheme not in ("http", "https"):
        shown = scheme if "@" not in scheme else "..."
        raise BadEtcdOptions(f"{field_name}: an endpoint begins with http:// or https://, not {shown!r}")
    address = rest.rstrip("/")
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or not 0 < int(match["port"]) <= _PORT_MAX:
        if "@" in address:  # somebody's password, perhaps
            raise BadEtcdOptions(f"{field_name}: who is asking is told by userid and password, not by a URL")
        raise BadEtcdOptions(f"{field_name}: {address!r} is neither HOST:PORT nor a file that exists")
    return scheme, address


class _Config:
    """The JSON file."""

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        try:
            fields = json.loads(content)
        except ValueError as error:
            # Never the content: it holds the password.
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise BadEtcdOptions(f"{path}{where}: this is no JSON") from None
        if not isinstance(fields, dict):
            raise BadEtcdOptions(f"{path}: the file is to hold a JSON object")
        self._fields: Mapping[str, object] = fields

    def options(self) -> EtcdOptions:
        schemes, targets = _endpoints(self._text("endpoints"), f"{self._path}: endpoints")
        userid, password = self._text("userid"), self._text("password")
        if password and not userid:
            raise BadEtcdOptions(f"{self._path}: there is a password, and no userid")
        return EtcdOptions(
            endpoints=targets,
            root_prefix=self._text("root_prefix"),
            userid=userid,
            password=password,
            tls=self._tls(schemes[0], is_socket=targets[0].startswith("unix:")),
        )

    def _tls(self, scheme: str, *, is_socket: bool) -> EtcdTls | None:
        authority = self._pem("certificate")
        key, certificate = self._pem("client_key"), self._pem("client_certificate")
        if (key is None) != (certificate is None):
            given, missing = ("client_key", "client_certificate")[:: 1 if key else -1]
            raise BadEtcdOptions(f"{self._path}: there is a {given}, and no {missing}; give both or neither")
        mode = self._text("tls_mode").upper() or "AUTO"
        if mode not in TLS_MODES:
            raise BadEtcdOptions(f"{self._path}: tls_mode is one of {', '.join(TLS_MODES)}, not {mode!r}")
        if mode == "AUTO":
            has_pem = authority is not None or certificate is not None
            wanted = scheme == "https" or (not scheme and not is_socket and has_pem)
        else:
            wanted = mode == "TLS"
        if not wanted:
            return None
        return EtcdTls(
            authority=authority,
            client_key=key,
            client_certificate=certificate,
            override_authority=self._text("override_authority"),
        )

    def _text(self, name: str) -> str:
        value = self._fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadEtcdOptions(f"{self._path}: {name} is to be a string, not a {type(value).__name__}")
        return value

    def _pem(self, name: str) -> bytes | None:
        """What stands in the file `<name>_file`, or else in the field itself."""
        if named := self._text(f"{name}_file"):
            return self._file(f"{name}_file", named)
        inline = self._text(name)
        if not inline.strip():
            return None
        return _checked(inline.encode(), f"{self._path}: {name}")

    def _file(self, field_name: str, named: str) -> bytes:
        for path in (Path(named), self._path.parent / named):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                why = _reason(error)
                raise BadEtcdOptions(f"{self._path}: {field_name}: {path} cannot be read: {why}") from error
            return _checked(content, f"{self._path}: {field_name}: {path}")
        beside = "" if Path(named).is_absolute() else f", nor one beside {self._path.name}"
        raise BadEtcdOptions(f"{self._path}: {field_name}: there is no file {named}{beside}")


def _checked(pem: bytes, what: str) -> bytes:
    if b"-----BEGIN " not in pem:
        raise BadEtcdOptions(f"{what} is not PEM: it has no BEGIN line")
    return pem


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
