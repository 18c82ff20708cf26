"""What an S3 entry of `storage-config` says (reference: runtime adapter 2.3; KServe 5.3).

The union of ModelMesh's fields and KServe's: `certificate` and `ca_bundle`, `verify_ssl`, `anonymous`.
Beyond ModelMesh: without access keys the machine's own credentials are used (environment, web identity,
instance role), `session_token` is honoured, and `endpoint_url` may be absent for AWS itself.
"""

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from adapter.domain.errors import StorageKeyUnknown
from adapter.storage.repository import StorageConfig

PEM_BEGINS = "-----BEGIN"
_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", ""}
_REGION_WITH_ENDPOINT = "us-east-1"  # Signing needs one; stores that are not AWS's take this.


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """What makes one connection. Equal settings share it; so the bucket is not among them."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    anonymous: bool = False
    verify_ssl: bool = True
    certificate: str | None = field(default=None, repr=False)
    """PEM, or the path of a file with it; neither has been looked at."""

    @property
    def endpoint(self) -> str:
        """The endpoint for messages."""
        return self.endpoint_url or "AWS"


def s3_settings(storage: StorageConfig) -> S3Settings:
    """Read the fields. `StorageKeyUnknown` names the one that is wrong."""
    access_key_id = storage.text("access_key_id") or None
    secret_access_key = storage.text("secret_access_key") or None
    anonymous = _flag(storage, "anonymous", default=False)
    if (access_key_id is None) != (secret_access_key is None) and not anonymous:
        missing = "access_key_id" if access_key_id is None else "secret_access_key"
        raise _wrong(storage, missing, "is missing: give both access keys, or neither")
    endpoint_url = _endpoint_url(storage)
    return S3Settings(
        endpoint_url=endpoint_url,
        region=storage.text("region") or (_REGION_WITH_ENDPOINT if endpoint_url else None),
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        session_token=storage.text("session_token") or None,
        anonymous=anonymous,
        verify_ssl=_flag(storage, "verify_ssl", default=True),
        certificate=storage.text("certificate") or storage.text("ca_bundle") or None,
    )


def s3_bucket(storage: StorageConfig) -> str:
    """The bucket, which is not needed before a pull. Raises `StorageKeyUnknown`."""
    bucket = storage.text("bucket")
    if not bucket:
        raise _wrong(storage, "bucket", "is missing: add it to the secret or to storage_params")
    return bucket


def check_certificate(storage: StorageConfig, settings: S3Settings) -> None:
    """Raise `StorageKeyUnknown` unless the certificate can be read. It may be on disk: not on the loop."""
    if settings.certificate is None:
        return
    in_place = PEM_BEGINS in settings.certificate
    given = {"cadata": settings.certificate} if in_place else {"cafile": settings.certificate}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**given)
    except (OSError, ValueError) as error:
        name = "certificate" if storage.text("certificate") else "ca_bundle"
        raise _wrong(storage, name, "holds no certificate in PEM form, and is no file that does") from error


def _endpoint_url(storage: StorageConfig) -> str | None:
    url = storage.text("endpoint_url") or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and "@" not in parts.netloc
    except ValueError:  # A port that is no number, a bracket that does not close.
        usable = False
    if not usable:
        # The URL is not repeated: it may hold a password.
        raise _wrong(storage, "endpoint_url", "must be a whole URL without a user, such as http://minio:9000")
    return url


def _flag(storage: StorageConfig, name: str, *, default: bool) -> bool:
    value = storage.fields.get(name)
    if value is None or isinstance(value, bool):
        return default if value is None else value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _wrong(storage, name, "must be true or false")


def _wrong(storage: StorageConfig, name: str, what: str) -> StorageKeyUnknown:
    return StorageKeyUnknown(f"{storage.origin}, type s3: `{name}` {what}")
