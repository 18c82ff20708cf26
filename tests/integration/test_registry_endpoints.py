"""Which endpoint of a real etcd is used, and who is let in: passwords, and certificates of both sides."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions, EtcdTls
from tests.contracts.registry import following, known
from tests.integration import certificates
from tests.integration import etcd as real
from tests.integration.certificates import Certificates
from tests.integration.etcd import Etcd

PASSWORD = "of the mesh"
TOKEN_S = 1


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One that asks who is there, and forgets it a second after the last call."""
    flags = ("--auth-token", "simple", "--auth-token-ttl", str(TOKEN_S), "--bcrypt-cost", "4")
    with real.serving(tmp_path_factory.mktemp("asking"), flags=flags) as etcd:
        etcd.ask_who({"mesh": PASSWORD}, root_password="all rights", prefix="r/")
        yield etcd


def as_mesh(etcd: Etcd) -> EtcdOptions:
    return EtcdOptions(endpoints=(etcd.endpoint,), root_prefix="r/", userid="mesh", password=PASSWORD)


async def test_who_says_the_password_is_let_in(asking: Etcd) -> None:
    async with EtcdRegistry.connect(as_mesh(asking), LoopClock()) as registry:
        await registry.check()
        assert await registry.commit({"a": b"1"}, guards={"a": 0}) is not None
        lease = await registry.grant(10)
        await registry.keep_alive(lease)
        await registry.revoke(lease)


async def test_an_expired_token_is_renewed(asking: Etcd) -> None:
    async with EtcdRegistry.connect(as_mesh(asking), LoopClock()) as registry:
        lease = await registry.grant(600)
        for number in range(2):
            await asyncio.sleep(2 * TOKEN_S)
            assert await registry.commit({f"b/{number}": b"1"}, guards={}) is not None
            await asyncio.sleep(2 * TOKEN_S)
            await registry.keep_alive(lease)
            await asyncio.sleep(2 * TOKEN_S)
            async with following(registry, "b/") as told:
                assert len((await told.reset()).entries or ()) == number + 1
        await registry.revoke(lease)


async def test_many_calls_at_once_log_in_once(asking: Etcd) -> None:
    async with EtcdRegistry.connect(as_mesh(asking), LoopClock()) as registry:
        await asyncio.gather(*(registry.get(f"c/{number}") for number in range(100)))


async def test_who_follows_logs_in_anew_after_a_restart(asking: Etcd) -> None:
    async with (
        EtcdRegistry.connect(as_mesh(asking), LoopClock()) as registry,
        following(registry, "d/") as told,
    ):
        await told.reset()
        await asyncio.to_thread(asking.kill)
        await asyncio.to_thread(asking.start)
        await asyncio.sleep(2 * TOKEN_S)
        asking.ctl("put", "r/d/1", "1")
        assert [change.key for change in await told.changes(1)] == ["d/1"]


@pytest.mark.parametrize(
    ("userid", "password", "root_prefix", "complaint"),
    [
        pytest.param("mesh", "wrong", "r/", "`userid` or `password` is wrong", id="wrong password"),
        pytest.param("nobody", PASSWORD, "r/", "`userid` or `password` is wrong", id="no such user"),
        pytest.param("", "", "r/", "set `userid` and `password`", id="nobody"),
        pytest.param("mesh", PASSWORD, "s/", "may not read and write all keys below", id="another's keys"),
    ],
)
async def test_who_is_not_let_in_is_told_why(
    asking: Etcd, userid: str, password: str, root_prefix: str, complaint: str
) -> None:
    options = replace(as_mesh(asking), userid=userid, password=password, root_prefix=root_prefix)
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        with pytest.raises(RegistryUnavailable, match=complaint) as caught:
            await registry.check()
        with pytest.raises(RegistryUnavailable, match=complaint):
            await registry.commit({"a": b"1"}, guards={})
    assert PASSWORD not in str(caught.value)
    assert asking.endpoint in str(caught.value)


async def test_who_says_a_password_that_nobody_asks_for_is_let_in(tmp_path: Path) -> None:
    with real.serving(tmp_path) as etcd:
        async with EtcdRegistry.connect(as_mesh(etcd), LoopClock()) as registry:
            await registry.check()
            await asyncio.to_thread(etcd.ask_who, {"mesh": PASSWORD}, root_password="all rights", prefix="r/")
            assert await registry.commit({"a": b"1"}, guards={}) is not None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[Etcd]:
    """One with TLS, that wants a certificate of its clients."""
    with real.serving(tmp_path_factory.mktemp("guarded"), certificates=made) as etcd:
        yield etcd


def certified(made: Certificates, client: str | None = "operator", **others: object) -> EtcdTls:
    tls = EtcdTls(authority=made.authority.read_bytes())
    if client is not None:
        certificate, key = made.client(client).read_bytes(), made.client_key(client).read_bytes()
        tls = replace(tls, client_certificate=certificate, client_key=key)
    return replace(tls, **others)  # type: ignore[arg-type]


async def test_certificates_of_both_sides(guarded: Etcd, made: Certificates) -> None:
    options = EtcdOptions(endpoints=(guarded.endpoint,), tls=certified(made))
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        await registry.check()
        async with following(registry, "m/") as told:
            await told.reset()
            await registry.commit({"m/a": b"1"}, guards={})
            assert len(await told.changes(1)) == 1


async def test_the_name_in_the_certificate_may_be_another(guarded: Etcd, made: Certificates) -> None:
    endpoint = f"127.0.0.2:{guarded.client_port}"  # not in the certificate, and nobody listens
    options = EtcdOptions(
        endpoints=(guarded.endpoint, endpoint), tls=certified(made, override_authority="localhost")
    )
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        await registry.check()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        pytest.param("authority", "its certificate is not signed by `certificate`", id="another authority"),
        pytest.param("name", "its certificate is", id="another name"),
        pytest.param("no client", "it may want a client certificate", id="no client certificate"),
        pytest.param("stranger", "it may want a client certificate", id="a stranger's certificate"),
        pytest.param("plaintext", "it may want TLS", id="no TLS"),
    ],
)
async def test_who_cannot_be_trusted_is_told_why(
    guarded: Etcd, made: Certificates, wrong: str, complaint: str
) -> None:
    tls = {
        "authority": certified(made, authority=made.client("stranger").read_bytes()),
        "name": certified(made, override_authority="elsewhere"),
        "no client": certified(made, client=None),
        "stranger": certified(made, client="stranger"),
        "plaintext": None,
    }[wrong]
    async with EtcdRegistry.connect(
        EtcdOptions(endpoints=(guarded.endpoint,), tls=tls), LoopClock()
    ) as registry:
        with pytest.raises(RegistryUnavailable, match=complaint) as caught:
            await registry.get("a")
    assert guarded.endpoint in str(caught.value)


async def test_tls_where_there_is_none(asking: Etcd, made: Certificates) -> None:
    options = replace(as_mesh(asking), tls=certified(made))
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        with pytest.raises(RegistryUnavailable, match="it may speak no TLS"):
            await registry.get("a")


async def test_members_take_over_from_each_other(tmp_path: Path) -> None:
    """Whichever ends, the others are used, and who follows misses nothing."""
    with real.cluster(tmp_path) as members:
        options = EtcdOptions(endpoints=tuple(member.endpoint for member in members), root_prefix="r/")
        async with EtcdRegistry.connect(options, LoopClock()) as registry:
            await registry.check()
            async with following(registry, "m/") as told:
                await told.reset()
                for turn, member in enumerate(members):
                    await asyncio.to_thread(member.kill)
                    await real.recovers(registry)
                    await registry.commit({f"m/{turn}": b"1"}, guards={})
                    (change,) = await told.changes(1)
                    assert change.key == f"m/{turn}"
                    await asyncio.to_thread(member.start)


async def test_a_frozen_member_is_left(tmp_path: Path) -> None:
    """At once by who asks, and within a quarter of a minute by who follows."""
    with real.cluster(tmp_path) as members:
        options = EtcdOptions(endpoints=tuple(member.endpoint for member in members))
        async with EtcdRegistry.connect(options, LoopClock()) as registry, following(registry, "m/") as told:
            await told.reset()
            waiting = asyncio.ensure_future(told.changes(1))
            await registry.commit({"a": b"1"}, guards={})
            with members[0].frozen():
                began_s = time.monotonic()
                assert known(await registry.get("a")).value == b"1"
                assert time.monotonic() - began_s < 5
                await real.recovers(registry)
                await registry.commit({"m/a": b"1"}, guards={})
                assert [change.key for change in await waiting] == ["m/a"]
