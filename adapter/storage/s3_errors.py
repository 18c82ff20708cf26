"""What S3's refusals mean in our words. No SDK here: `s3` takes code and status out of its exceptions."""

from dataclasses import dataclass

from adapter.domain.errors import (
    AdapterError,
    ObjectMissing,
    StorageAccessDenied,
    StorageKeyUnknown,
    StorageUnreachable,
)

_MISSING = {
    **dict.fromkeys(
        ("NoSuchKey", "404"), "there is no object at {}. Correct the model's path, or put the model there"
    ),
    "NoSuchBucket": "there is no such bucket: {}. Correct `bucket`, or make the bucket",
    "InvalidObjectState": "the object is archived and cannot be read: {}. Restore it first",
}
_OTHER_OBJECT = {"PreconditionFailed", "412", "InvalidRange", "416"}
_WRONG_PLACE = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "PermanentRedirect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a call was about, for messages."""

    uri: str
    endpoint: str
    origin: str
    """`storage key 'name'`: where the settings are from."""

    def __str__(self) -> str:
        return f"{self.uri} ({self.endpoint}, {self.origin})"


def refusal(place: Place, *, code: str, status: int) -> AdapterError:
    """The error for an answer of the store, by its S3 code and HTTP status."""
    if code in _MISSING:
        return ObjectMissing(_MISSING[code].format(place))
    if code in _OTHER_OBJECT:
        return changed(place)
    if code in _WRONG_PLACE:
        what = f"the store answers {code} for {place}"
        return StorageKeyUnknown(f"{what}. Correct `region`, `bucket` or `endpoint_url`")
    if status in {401, 403}:
        return denied(place, because=code)
    return unreachable(place, because=f"it answers {code} ({status})")


def denied(place: Place, *, because: str) -> StorageAccessDenied:
    """The credentials are refused, or there are none."""
    return StorageAccessDenied(
        f"access is denied to {place}: {because}. Correct the credentials, or let them list and read"
    )


def unreachable(place: Place, *, because: str) -> StorageUnreachable:
    """No use can be made of the endpoint now."""
    return StorageUnreachable(
        f"the store does not serve {place}: {because}. Check `endpoint_url` and that the store is up"
    )


def changed(place: Place) -> StorageUnreachable:
    """The object is not the one that was listed."""
    return StorageUnreachable(
        f"the object was replaced while it was pulled: {place}. It is pulled anew next time"
    )
