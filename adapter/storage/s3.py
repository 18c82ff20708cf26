"""S3, MinIO and all that speak alike, over boto3 in threads of its own (reference: runtime adapter 2.7).

boto3 is imported when the first client is made, and a client is shared by all pulls with equal settings.
Nothing of botocore is known outside this module: its errors are translated here, once.

Beyond ModelMesh: listings are complete, the machine's own credentials and anonymous access are possible, an
object must still be the one that was listed, and a body that breaks off goes on where it broke.
"""

import asyncio
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict

from adapter.domain.errors import BadModelKey, StorageKeyUnknown
from adapter.storage.disk import disk_words
from adapter.storage.repository import Progress, RemoteObject, StorageConfig
from adapter.storage.s3_errors import Place, changed, denied, refusal, unreachable
from adapter.storage.s3_settings import PEM_BEGINS, S3Settings, check_certificate, s3_bucket, s3_settings
from adapter.storage.threads import Stop, in_thread

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client as BotoClient
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

CLIENTS_MAX = 64
TRANSFERS_AT_ONCE_MAX = 16
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
TRIES_MAX = 3
"""Of one request; so an endpoint that nobody answers at is given up after some 8 s."""
RESUMES_MAX = 3
"""How often a body that broke off is asked for again, from where it broke."""
CHUNK_BYTES = 1 << 20
FIRST_PAGE_MAX = 64
"""Most models are a few objects, and a longer page would bring siblings that begin with the same name."""
PAGE_MAX = 1000


class S3Provider:
    """Makes and shares the connections. `close` it: it owns threads and, for certificates, a folder."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(TRANSFERS_AT_ONCE_MAX, thread_name_prefix="s3")
        self._clients: OrderedDict[S3Settings, BotoClient] = OrderedDict()
        self._making = threading.RLock()  # A session must not make two clients at once.
        self._session: Session | None = None
        self._certificates: tempfile.TemporaryDirectory[str] | None = None

    async def client(self, storage: StorageConfig) -> "S3Client":
        settings, bucket = s3_settings(storage), s3_bucket(storage)
        boto = self._clients.get(settings)
        if boto is None:
            boto = await in_thread(self._shared, storage, settings)
        else:
            self._clients.move_to_end(settings)
        place = partial(Place, endpoint=settings.endpoint, origin=storage.origin)
        return S3Client(boto, bucket, place, self._threads)

    async def warm_up(self) -> None:
        """Spend the half second that boto3 needs once, before the first model has to wait for it."""
        anyone = S3Settings(endpoint_url="http://localhost", region="us-east-1", anonymous=True)
        await in_thread(self._make, StorageConfig(type="s3"), anyone)

    def close(self) -> None:
        """Begin no further transfer; those under way end with their next chunk or their timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._certificates is not None:
            self._certificates.cleanup()

    def _shared(self, storage: StorageConfig, settings: S3Settings) -> "BotoClient":
        with self._making:
            if settings in self._clients:
                return self._clients[settings]
            boto = self._make(storage, settings)
            if len(self._clients) >= CLIENTS_MAX:
                self._clients.popitem(last=False)  # Not closed: a pull may be using it.
            self._clients[settings] = boto
            return boto

    def _make(self, storage: StorageConfig, settings: S3Settings) -> "BotoClient":
        check_certificate(storage, settings)
        with self._making:
            import boto3
            from botocore.exceptions import BotoCoreError

            self._session = self._session or boto3.session.Session()
            by_chain = settings.access_key_id is None and not settings.anonymous
            nowhere = Place(uri="the store", endpoint=settings.endpoint, origin=storage.origin)
            try:
                if by_chain and self._session.get_credentials() is None:
                    raise denied(
                        nowhere, because="no access keys are given, and this machine has no credentials"
                    )
                return self._session.client(
                    "s3",
                    endpoint_url=settings.endpoint_url,
                    region_name=settings.region,
                    aws_access_key_id=settings.access_key_id,
                    aws_secret_access_key=settings.secret_access_key,
                    aws_session_token=settings.session_token,
                    verify=self._verify(settings),
                    config=_config(settings),
                )
            except (BotoCoreError, ValueError) as error:
                why = type(error).__name__
                raise StorageKeyUnknown(
                    f"{storage.origin}, type s3: boto3 cannot use it ({why}); check `endpoint_url`, `region`"
                ) from error

    def _verify(self, settings: S3Settings) -> bool | str:
        if not settings.verify_ssl or settings.certificate is None:
            return settings.verify_ssl
        if PEM_BEGINS not in settings.certificate:
            return settings.certificate
        if self._certificates is None:
            self._certificates = tempfile.TemporaryDirectory(prefix="remesh-certificates-")
        pem = settings.certificate.encode()
        path = Path(self._certificates.name, f"{sha256(pem).hexdigest()}.pem")
        path.write_bytes(pem)
        return str(path)


def _config(settings: S3Settings) -> Any:  # noqa: ANN401 - botocore is imported only when it is needed
    from botocore import UNSIGNED
    from botocore.config import Config

    return Config(
        signature_version=UNSIGNED if settings.anonymous else None,
        s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
        # Stores older than AWS's newer checksums refuse or garble them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": TRIES_MAX},
        max_pool_connections=TRANSFERS_AT_ONCE_MAX,
        tcp_keepalive=True,
    )


class _Continued(TypedDict, total=False):
    ContinuationToken: str


class _Conditions(TypedDict, total=False):
    Range: str
    IfMatch: str


@dataclass(slots=True, kw_only=True)
class _Transfer:
    """A range on its way into a file; `at` moves on."""

    source: RemoteObject
    into: Path
    at: int
    end: int
    arrived: Progress
    stop: Stop = field(default_factory=Stop)


class S3Client:
    """One bucket over a shared connection."""

    def __init__(
        self, boto: "BotoClient", bucket: str, place: "partial[Place]", threads: ThreadPoolExecutor
    ) -> None:
        self._boto = boto
        self._bucket = bucket
        self._place_of = place
        self._threads = threads

    def __repr__(self) -> str:
        return f"<S3Client {self._place('')}>"

    @property
    def described(self) -> str:
        place = self._place("")
        return f"{place.endpoint}, {place.origin}"

    def uri(self, path: str) -> str:
        return f"s3://{self._bucket}/{path}"

    async def objects(self, prefix: str) -> AsyncGenerator[RemoteObject]:
        loop, token, size = asyncio.get_running_loop(), "", FIRST_PAGE_MAX
        while True:
            page = await loop.run_in_executor(self._threads, self._page, prefix, token, size)
            for found in page.get("Contents", []):
                yield RemoteObject(key=found["Key"], size_bytes=found["Size"], etag=found.get("ETag"))
            token, size = page.get("NextContinuationToken", ""), PAGE_MAX
            if not page.get("IsTruncated") or not token:
                return

    async def fetch(
        self,
        source: RemoteObject,
        into: Path,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        transfer = _Transfer(
            source=source,
            into=into,
            at=start,
            end=source.size_bytes if end is None else end,
            arrived=_on_the_loop(loop, progress),
        )
        try:
            await loop.run_in_executor(self._threads, self._carry_out, transfer)
        finally:
            transfer.stop.set()

    def _page(self, prefix: str, token: str, size: int) -> "ListObjectsV2OutputTypeDef":
        further: _Continued = {"ContinuationToken": token} if token else {}
        with _our_words(self._place(prefix)):
            return self._boto.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=size, **further)

    def _carry_out(self, transfer: _Transfer) -> None:
        place = self._place(transfer.source.key)
        with disk_words(transfer.into), _our_words(place):
            with transfer.stop.held_off():
                opened = os.open(
                    transfer.into, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
                )
            with os.fdopen(opened, "wb") as file:
                file.seek(transfer.at)
                for resumes_left in reversed(range(RESUMES_MAX + 1)):
                    if self._stream(transfer, file, place, may_break=resumes_left > 0):
                        return

    def _stream(self, transfer: _Transfer, file: BinaryIO, place: Place, *, may_break: bool) -> bool:
        """Ask for what is missing and write it; False if the body broke off and that is tolerated."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        if transfer.at >= transfer.end:
            return True
        whole = transfer.at == 0 and transfer.end == transfer.source.size_bytes
        wanted: _Conditions = {} if whole else {"Range": f"bytes={transfer.at}-{transfer.end - 1}"}
        if transfer.source.etag:
            wanted["IfMatch"] = transfer.source.etag
        answer = self._boto.get_object(Bucket=self._bucket, Key=transfer.source.key, **wanted)
        # Not `with` the body itself: that gives out what is below it, which checks and translates nothing.
        with closing(answer["Body"]) as body:
            try:
                while chunk := body.read(CHUNK_BYTES):
                    transfer.stop.look()
                    if transfer.at + len(chunk) > transfer.end:
                        raise changed(place)
                    file.write(chunk)
                    transfer.at += len(chunk)
                    transfer.arrived(len(chunk))
            except (HTTPClientError, IncompleteReadError):
                if not may_break:
                    raise
                return False
        if transfer.at < transfer.end:
            raise changed(place)
        return True

    def _place(self, path: str) -> Place:
        return self._place_of(uri=self.uri(path))


def _on_the_loop(loop: asyncio.AbstractEventLoop, progress: Progress | None) -> Progress:
    def arrived(size_bytes: int) -> None:
        if progress is not None:
            loop.call_soon_threadsafe(progress, size_bytes)

    return arrived


@contextmanager
def _our_words(place: Place) -> Iterator[None]:
    """Translate all that botocore raises."""
    from botocore import exceptions as theirs

    try:
        yield
    except theirs.ClientError as error:
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", "an error without a code"))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise refusal(place, code=code, status=status) from error
    except (
        theirs.NoCredentialsError,
        theirs.PartialCredentialsError,
        theirs.CredentialRetrievalError,
        theirs.MetadataRetrievalError,
    ) as error:
        raise denied(place, because="no credentials could be had") from error
    except (theirs.ParamValidationError, theirs.InvalidRegionError) as error:
        raise BadModelKey(
            f"S3 takes no such name: {place}. Correct the bucket, the path or the region"
        ) from error
    except theirs.SSLError as error:
        raise unreachable(place, because="its certificate is not trusted; give `certificate`") from error
    except theirs.BotoCoreError as error:
        raise unreachable(place, because=type(error).__name__) from error
