import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cluster import kubernetes_api
from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable
from adapter.cluster.kubernetes_api import Account, KubernetesApi, split_lines

KUBECONFIG = {
    "current-context": "one",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "secret-token"}}],
    "contexts": [
        {"name": "one", "context": {"cluster": "c", "user": "u"}},
        {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "models"}},
        {"name": "nowhere", "context": {"cluster": "none", "user": "u"}},
    ],
}


def kubeconfig(folder: Path, **changed: Any) -> Path:
    (folder / "config").write_text(json.dumps(KUBECONFIG | changed))
    return folder / "config"


def test_an_account_is_that_of_the_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path)
    assert Account.found(kubeconfig=path).namespace == "default"
    two = Account.found(kubeconfig=path, context="two")
    assert (two.server, two.namespace) == ("https://127.0.0.1:1", "models")


@pytest.mark.parametrize(
    ("content", "context", "told"),
    [
        pytest.param(None, "", "not found", id="no file"),
        pytest.param("{", "", "expected", id="no YAML"),
        pytest.param("a: secret-token: b", "", "not allowed here", id="no YAML near a secret"),
        pytest.param("[]", "", "no access", id="something else"),
        pytest.param("current-context: one", "", "no `clusters` in it", id="nothing in it"),
        pytest.param(json.dumps(KUBECONFIG), "three", "'three' not found", id="no such context"),
        pytest.param(json.dumps(KUBECONFIG), "nowhere", "no `none` in it", id="no such cluster"),
        pytest.param(json.dumps(KUBECONFIG | {"current-context": None}), "", "context", id="no context"),
    ],
)
def test_a_kubeconfig_that_is_of_no_use_is_refused(
    tmp_path: Path, content: str | None, context: str, told: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClusterRefused, match=told) as refused:
        Account.found(kubeconfig=path, context=context)
    assert str(path) in str(refused.value)
    assert "secret-token" not in str(refused.value)


def test_the_credentials_are_in_no_repr(tmp_path: Path) -> None:
    assert "secret-token" not in repr(Account.found(kubeconfig=kubeconfig(tmp_path)))


async def test_a_certificate_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    clusters = [{"name": "c", "cluster": {"server": "https://a", "certificate-authority": "none.crt"}}]
    account = Account.found(kubeconfig=kubeconfig(tmp_path, clusters=clusters))
    with pytest.raises(ClusterRefused, match="credentials"):
        async with KubernetesApi.connected(account):
            pass


async def chunks_of(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line)), st.data())
async def test_lines_are_the_same_however_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    chunks = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert [line async for line in split_lines(chunks_of(chunks))] == lines


async def test_a_line_without_an_end_is_no_line() -> None:
    assert [line async for line in split_lines(chunks_of([b"a\nb"]))] == [b"a"]


async def test_a_line_that_never_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "LINE_BYTES_MAX", 100)
    with pytest.raises(ClusterUnavailable, match="more than 100 bytes"):
        async for _ in split_lines(chunks_of([b"x" * 60] * 2)):
            pass
