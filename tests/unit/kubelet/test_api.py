import base64
import json
from pathlib import Path
from typing import Any

from tests.kubelet.api import Followed, read_kubeconfig


def kubeconfig(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    content = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "there", "user": "me"}}],
        "clusters": [{"name": "other", "cluster": {}}, {"name": "there", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(content))
    return path


def test_the_current_context_of_a_kubeconfig_counts(tmp_path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}
    access = read_kubeconfig(kubeconfig(tmp_path, cluster, {"token": "word"}))
    assert access.host_and_port == ("127.0.0.1", 6443)
    assert access.headers == {"Authorization": "Bearer word"}
    assert "word" not in repr(access)


def test_an_authority_may_lie_beside_it_or_in_it(tmp_path: Path) -> None:
    from tests.integration import certificates

    made = certificates.make(tmp_path)
    server = {"server": "https://127.0.0.1"}
    beside = kubeconfig(tmp_path, {**server, "certificate-authority": "ca.pem"}, {})
    within = base64.b64encode(made.authority.read_bytes()).decode()
    for path in (beside, kubeconfig(tmp_path, {**server, "certificate-authority-data": within}, {})):
        assert read_kubeconfig(path).tls.get_ca_certs()


def test_whoever_follows_is_told_of_what_came_changed_and_went() -> None:
    followed = Followed("/pods")
    told: list[tuple[str, str]] = []
    followed.on_change(told.append)
    followed._replace([found("a", "1"), found("b", "1")])
    told.clear()
    followed._replace([found("b", "2"), found("c", "3")])
    assert sorted(told) == [("n", "a"), ("n", "b"), ("n", "c")]
    followed._take("DELETED", found("b", "4"))
    assert set(followed.objects) == {("n", "c")}
    assert told[-1] == ("n", "b")


def found(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": version}}
