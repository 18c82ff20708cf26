import pytest

from adapter.domain.errors import (
    AdapterError,
    ObjectMissing,
    StorageAccessDenied,
    StorageKeyUnknown,
    StorageUnreachable,
)
from adapter.storage.s3_errors import Place, refusal

PLACE = Place(uri="s3://models/iris", endpoint="http://minio:9000", origin="storage key 'localMinIO'")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NoSuchKey", 404, ObjectMissing),
        ("404", 404, ObjectMissing),
        ("NoSuchBucket", 404, ObjectMissing),
        ("InvalidObjectState", 403, ObjectMissing),
        ("AccessDenied", 403, StorageAccessDenied),
        ("InvalidAccessKeyId", 403, StorageAccessDenied),
        ("SignatureDoesNotMatch", 403, StorageAccessDenied),
        ("RequestTimeTooSkewed", 403, StorageAccessDenied),
        ("Unauthorized", 401, StorageAccessDenied),
        ("PermanentRedirect", 301, StorageKeyUnknown),
        ("AuthorizationHeaderMalformed", 400, StorageKeyUnknown),
        ("PreconditionFailed", 412, StorageUnreachable),
        ("InvalidRange", 416, StorageUnreachable),
        ("SlowDown", 503, StorageUnreachable),
        ("InternalError", 500, StorageUnreachable),
        ("Unheard", 418, StorageUnreachable),
    ],
)
def test_each_refusal_is_one_of_our_errors(code: str, status: int, error: type[AdapterError]) -> None:
    failure = refusal(PLACE, code=code, status=status)
    assert type(failure) is error
    assert "s3://models/iris (http://minio:9000, storage key 'localMinIO')" in str(failure)
