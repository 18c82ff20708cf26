from pathlib import Path

import pytest

from adapter.demo.store import given_store, store_process


def test_a_store_that_the_environment_names_is_used() -> None:
    store = given_store(
        {
            "REMESH_DEMO_S3_ENDPOINT": "http://minio:9000",
            "REMESH_DEMO_S3_BUCKET": "b",
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "mine",
        }
    )
    assert store is not None
    assert store.storage_key() == {
        "type": "s3",
        "endpoint_url": "http://minio:9000",
        "access_key_id": "me",
        "secret_access_key": "mine",
        "region": "us-east-1",
        "default_bucket": "b",
    }
    assert "mine" not in repr(store)


def test_without_one_there_is_none() -> None:
    assert given_store({}) is None


@pytest.mark.parametrize(
    ("has_minio", "server"), [(True, "MinIO"), (False, "moto")], ids=["MinIO was built", "it was not"]
)
def test_minio_is_taken_where_it_is(tmp_path: Path, has_minio: bool, server: str) -> None:
    program = tmp_path / "bin" / "minio"
    if has_minio:
        program.parent.mkdir()
        program.touch(mode=0o755)
    environ = {"REMESH_TOOLS": str(tmp_path), "PATH": ""}
    store, process = store_process(environ, port=9, folder=tmp_path / "objects")
    assert store.server == server
    assert (process.command[0] == str(program)) is has_minio
    assert "remesh-demo-secret" not in repr(process)
