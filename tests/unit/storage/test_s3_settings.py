from pathlib import Path

import pytest

from adapter.domain.errors import StorageKeyUnknown
from adapter.storage.repository import StorageConfig
from adapter.storage.s3_settings import S3Settings, check_certificate, s3_bucket, s3_settings


def an_entry(**fields: object) -> StorageConfig:
    return StorageConfig(type="s3", fields=fields, secret_key="k")


FULL = {
    "access_key_id": "id",
    "secret_access_key": "hush",
    "endpoint_url": "http://minio:9000",
    "region": "eu",
    "bucket": "b",
}


def test_modelmesh_entries_are_read() -> None:
    assert s3_settings(an_entry(**FULL)) == S3Settings(
        access_key_id="id", secret_access_key="hush", endpoint_url="http://minio:9000", region="eu"
    )


@pytest.mark.parametrize("fields", [{}, {"access_key_id": "", "secret_access_key": "", "endpoint_url": ""}])
def test_without_keys_the_machines_own_credentials_are_used(fields: dict[str, object]) -> None:
    assert s3_settings(an_entry(**fields)) == S3Settings()


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("anonymous", "true", True),
        ("anonymous", True, True),
        ("anonymous", "0", False),
        ("anonymous", "", False),
        ("verify_ssl", "False", False),
        ("verify_ssl", "1", True),
        ("verify_ssl", None, True),
    ],
)
def test_flags_are_read_as_people_write_them(field: str, value: object, *, read: bool) -> None:
    assert getattr(s3_settings(an_entry(**{field: value})), field) is read


def test_the_bucket_does_not_make_another_connection() -> None:
    assert s3_settings(an_entry(**FULL)) == s3_settings(an_entry(**FULL | {"bucket": "other"}))
    assert s3_settings(an_entry(**FULL)) != s3_settings(an_entry(**FULL | {"endpoint_url": "http://other"}))


def test_an_endpoint_of_ones_own_has_a_region_to_sign_for() -> None:
    assert s3_settings(an_entry(endpoint_url="http://minio:9000")).region == "us-east-1"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"access_key_id": "hush"}, "`secret_access_key` is missing", id="one key of two"),
        pytest.param({"secret_access_key": "hush"}, "`access_key_id` is missing", id="the other"),
        pytest.param({"endpoint_url": "hush:9000"}, "`endpoint_url` must be a whole URL", id="no scheme"),
        pytest.param({"endpoint_url": "ftp://hush"}, "`endpoint_url`", id="another scheme"),
        pytest.param({"endpoint_url": "http://hush:port"}, "`endpoint_url`", id="no port"),
        pytest.param({"endpoint_url": "http://me:hush@minio"}, "without a user", id="a password"),
        pytest.param({"endpoint_url": "http://"}, "`endpoint_url`", id="no host"),
        pytest.param({"verify_ssl": "hush"}, "`verify_ssl` must be true or false", id="no flag"),
        pytest.param({"anonymous": 1}, "`anonymous` must be true or false", id="a number"),
    ],
)
def test_the_field_that_is_wrong_is_named_and_not_repeated(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(StorageKeyUnknown, match=f"storage key 'k', type s3: .*{complaint}") as failure:
        s3_settings(an_entry(**fields))
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize("bucket", [None, "", 5])
def test_a_pull_needs_a_bucket(bucket: object) -> None:
    assert s3_bucket(an_entry(bucket="b")) == "b"
    with pytest.raises(StorageKeyUnknown, match="`bucket` is missing"):
        s3_bucket(an_entry(bucket=bucket))


def test_settings_show_no_secret() -> None:
    settings = s3_settings(an_entry(**FULL | {"session_token": "hush", "certificate": "hush"}))
    assert (settings.session_token, settings.endpoint) == ("hush", "http://minio:9000")
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("field", ["certificate", "ca_bundle"])
@pytest.mark.parametrize(
    "content", ["-----BEGIN CERTIFICATE-----\nbad\n-----END CERTIFICATE-----", "/nowhere.pem"]
)
def test_a_certificate_that_cannot_be_read_is_refused(field: str, content: str) -> None:
    storage = an_entry(**{field: content})
    with pytest.raises(StorageKeyUnknown, match=f"`{field}` holds no certificate in PEM form"):
        check_certificate(storage, s3_settings(storage))


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    storage = an_entry(ca_bundle=str(tmp_path / "ca.pem"))
    with pytest.raises(StorageKeyUnknown, match="`ca_bundle`"):
        check_certificate(storage, s3_settings(storage))


def test_no_certificate_is_fine() -> None:
    check_certificate(an_entry(), S3Settings())
