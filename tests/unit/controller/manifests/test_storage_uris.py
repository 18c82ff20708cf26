import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.manifests.storage_uris import Location, read_storage_uri


@pytest.mark.parametrize(
    ("uri", "parameters", "path"),
    [
        pytest.param("pvc://claim/a/b", {"type": "pvc", "name": "claim"}, "a/b", id="pvc"),
        pytest.param("s3://bucket/a/b.joblib", {"type": "s3", "bucket": "bucket"}, "a/b.joblib", id="s3"),
        pytest.param("S3://Bucket_1/a", {"type": "s3", "bucket": "Bucket_1"}, "a", id="s3, capitals"),
        pytest.param("s3://bucket", {"type": "s3", "bucket": "bucket"}, "", id="s3, all of it"),
        pytest.param(
            "s3://bucket//a b%2Fc/", {"type": "s3", "bucket": "bucket"}, "/a b/c/", id="s3, escapes"
        ),
        pytest.param("gs://bucket/p", {"type": "gcs", "bucket": "bucket"}, "p", id="gs"),
        pytest.param(
            "https://acc.blob.core.windows.net/cont/a/b",
            {"type": "azure", "account_name": "acc", "container": "cont"},
            "a/b",
            id="azure",
        ),
        pytest.param(
            "https://github.com/a/mnist-svm.joblib?raw=true",
            {"type": "http", "url": "https://github.com?raw=true"},
            "a/mnist-svm.joblib",
            id="https with a query",
        ),
        pytest.param(
            "http://host:81/p", {"type": "http", "url": "http://host:81"}, "p", id="http with a port"
        ),
        pytest.param(
            "http://blob.core.windows.net.example/p",
            {"type": "http", "url": "http://blob.core.windows.net.example"},
            "p",
            id="no azure",
        ),
    ],
)
def test_a_uri_becomes_parameters_and_a_path(uri: str, parameters: dict[str, str], path: str) -> None:
    assert read_storage_uri(uri) == Location(parameters=parameters, path=path)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        pytest.param("hdfs://host/p", "has an unsupported storageUri scheme, 'hdfs'", id="another scheme"),
        pytest.param("/models/mnist", "has an unsupported storageUri scheme, none", id="a path"),
        pytest.param("file:///models/mnist", "has an unsupported storageUri scheme, 'file'", id="a file"),
        pytest.param("s3://[bucket/p", "could not parse storageUri", id="a bracket"),
        pytest.param("s3://b:c/p", "could not parse storageUri", id="a port of letters"),
        pytest.param("s3://b/%zz", "could not parse storageUri: a %", id="a broken escape"),
        pytest.param("s3://b/a\nb", "could not parse storageUri: a control", id="a line end"),
        pytest.param(" s3://b/a", "could not parse storageUri: a control", id="a blank first"),
        pytest.param(
            "s3://b c/a", "could not parse storageUri: a blank in its host", id="a blank in the host"
        ),
        pytest.param("s3://me@bucket/p", "must be the bucket, and nothing else", id="a user"),
        pytest.param("s3:///p", "must name the bucket: s3://BUCKET/PATH", id="no bucket"),
        pytest.param("s3:bucket/p", "must name the bucket", id="no slashes"),
        pytest.param("s3://bucket/p?versionId=3", "must have no .* and no #", id="a query"),
        pytest.param("pvc:///p", "must name the claim: pvc://CLAIM/PATH", id="no claim"),
        pytest.param("http:///p", "must name the host", id="no host"),
        pytest.param("https://acc.blob.core.windows.net/", "must name the container", id="no container"),
        pytest.param("s3://b/" + "x" * 9000, "longer than 8192", id="too long"),
    ],
)
def test_a_uri_that_is_none_is_told_why(uri: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_storage_uri(uri)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        pytest.param("/models/mnist", "/models/mnist", id="absolute"),
        pytest.param("models/a%b", "models/a%b", id="relative"),
        pytest.param("file:///models/mn%20ist", "/models/mn ist", id="file"),
    ],
)
def test_on_this_machine_a_path_is_fine(uri: str, path: str) -> None:
    assert read_storage_uri(uri, on_this_machine=True) == Location(parameters={"type": "local"}, path=path)


def test_a_file_of_another_machine_is_not() -> None:
    with pytest.raises(ValueError, match="unsupported storageUri scheme, 'file'"):
        read_storage_uri("file://host/models", on_this_machine=True)


def test_a_secret_in_a_uri_is_in_no_message() -> None:
    with pytest.raises(ValueError, match="parse") as raised:
        read_storage_uri("https://me:hunter2@host:port/p?sig=hunter2")
    assert "hunter2" not in str(raised.value)


@given(st.text() | st.from_regex(r"(s3|gs|pvc|https?|file):.*"), st.booleans())
def test_whatever_is_written_is_a_location_or_a_value_error(uri: str, local: bool) -> None:
    try:
        found = read_storage_uri(uri, on_this_machine=local)
    except ValueError:
        return
    assert found.parameters["type"] in {"s3", "gcs", "pvc", "http", "azure", "local"}
