import base64
from typing import Any

import pytest

from adapter.cluster.cluster import ObjectConflict
from adapter.controller.webhooks.certificates import (
    DAY_S,
    OURS,
    SECRET_NAME,
    Certificate,
    CertificateUnusable,
    webhook_certificate,
)
from adapter.domain.kinds import SECRET, Key, Manifest
from adapter.servers.self_signed import good_until_s, issue, names_in
from tests.fakes.memory_cluster import MemoryCluster

NOW_S = 1_800_000_000.0
HOSTS = ("webhook.ns.svc", "webhook.ns")
KEY = Key(kind=SECRET, name=SECRET_NAME, namespace="ns")


@pytest.fixture(name="cluster")
def _cluster() -> MemoryCluster:
    return MemoryCluster(namespaces=["ns"])


async def had(cluster: MemoryCluster, *, now_s: float = NOW_S, hosts: tuple[str, ...] = HOSTS) -> Certificate:
    return await webhook_certificate(cluster, namespace="ns", hosts=hosts, now_s=now_s)


def secret(cluster: MemoryCluster) -> Any:
    return cluster.now(KEY)


def somebody_fills_it(cluster: MemoryCluster, *names: str, **changes: bytes) -> None:
    issued = issue(names, now_s=NOW_S, valid_s=90 * DAY_S)
    entries = {"tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": issued.authority}
    entries |= {name.replace("_", "."): value for name, value in changes.items()}
    cluster.put(a_secret({name: base64.b64encode(value).decode() for name, value in entries.items()}), SECRET)


def a_secret(data: dict[str, str]) -> Manifest:
    metadata = {"name": SECRET_NAME, "namespace": "ns"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


async def test_the_first_certificate_is_made_and_kept(cluster: MemoryCluster) -> None:
    made = await had(cluster)
    assert names_in(made.certificate) == set(HOSTS)
    assert secret(cluster)["type"] == "kubernetes.io/tls"
    assert secret(cluster)["metadata"]["annotations"] == {OURS: "true"}
    assert await had(cluster) == made
    assert await had(cluster.another("other")) == made, "every controller has the same"
    assert len(cluster.writes) == 1


async def test_it_is_renewed_long_before_it_ends_and_the_old_one_stays_trusted(
    cluster: MemoryCluster,
) -> None:
    first = await had(cluster)
    assert await had(cluster, now_s=NOW_S + 200 * DAY_S) == first
    second = await had(cluster, now_s=NOW_S + 300 * DAY_S)
    assert good_until_s(second.certificate) == NOW_S + 665 * DAY_S
    assert first.authorities in second.authorities
    assert second.authorities.startswith(second.authorities.removesuffix(first.authorities))


async def test_authorities_that_have_ended_are_not_trusted_for_ever(cluster: MemoryCluster) -> None:
    first = await had(cluster)
    late = await had(cluster, now_s=NOW_S + 400 * DAY_S)
    assert first.authorities not in late.authorities
    assert late.authorities.count(b"BEGIN") == 1


async def test_few_authorities_are_trusted_at_once(cluster: MemoryCluster) -> None:
    made = [await had(cluster, hosts=(f"webhook-{number}.ns.svc",)) for number in range(6)]
    assert made[-1].authorities.count(b"BEGIN") == 3


async def test_it_is_made_anew_for_another_name(cluster: MemoryCluster) -> None:
    first = await had(cluster)
    assert await had(cluster, hosts=(*HOSTS, "127.0.0.1")) != first


async def test_an_empty_secret_is_filled(cluster: MemoryCluster) -> None:
    cluster.put(a_secret({}), SECRET)
    made = await had(cluster)
    assert base64.b64decode(secret(cluster)["data"]["tls.crt"]) == made.certificate
    assert await had(cluster) == made


async def test_what_somebody_else_keeps_there_is_used_and_never_written(cluster: MemoryCluster) -> None:
    somebody_fills_it(cluster, HOSTS[0])
    before = secret(cluster)
    assert names_in((await had(cluster)).certificate) == {HOSTS[0]}
    assert await had(cluster, now_s=NOW_S + 89 * DAY_S)
    assert (secret(cluster), cluster.writes) == (before, [])


@pytest.mark.parametrize(
    ("names", "changes", "complaint"),
    [
        pytest.param(["other"], {}, "is not for webhook.ns.svc", id="another name"),
        pytest.param(HOSTS, {"tls_key": b"x"}, "has no certificate", id="no key"),
        pytest.param(HOSTS, {"ca_crt": b""}, "does not say who vouches", id="no authority"),
    ],
)
async def test_what_is_somebody_elses_and_will_not_do_is_an_error(
    cluster: MemoryCluster, names: list[str], changes: dict[str, bytes], complaint: str
) -> None:
    somebody_fills_it(cluster, *names, **changes)
    with pytest.raises(CertificateUnusable, match=complaint):
        await had(cluster)


async def test_a_certificate_of_somebody_else_that_has_ended_is_an_error(cluster: MemoryCluster) -> None:
    somebody_fills_it(cluster, *HOSTS)
    with pytest.raises(
        CertificateUnusable, match=r"the Secret ns/.* has a certificate that has ended; whoever"
    ):
        await had(cluster, now_s=NOW_S + 91 * DAY_S)


async def test_of_two_controllers_that_start_together_one_makes_it(cluster: MemoryCluster) -> None:
    other, theirs = cluster.another("other"), list[Manifest]()

    def meanwhile(_verb: str, _key: Key) -> None:
        if not theirs:
            issued = issue(HOSTS, now_s=NOW_S, valid_s=300 * DAY_S)
            parts = {"tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": issued.authority}
            data = {name: base64.b64encode(part).decode() for name, part in parts.items()}
            theirs.append(other.put(a_secret(data), SECRET))

    cluster.before = meanwhile
    had_in_the_end = await had(cluster)
    assert base64.b64decode(theirs[0]["data"]["tls.crt"]) == had_in_the_end.certificate


async def test_it_does_not_try_for_ever(cluster: MemoryCluster) -> None:
    def always(_verb: str, _key: Key) -> None:
        raise ObjectConflict("somebody else was quicker")

    cluster.before = always
    with pytest.raises(ObjectConflict):
        await had(cluster)
    assert secret(cluster) is None


def test_the_key_is_not_told() -> None:
    assert "secret" not in repr(Certificate(certificate=b"", key=b"secret", authorities=b""))
