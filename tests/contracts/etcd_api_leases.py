"""What etcd's API promises of leases, and our client relies on."""

import secrets

import grpc

from adapter.stubs.etcd import kv_pb2, rpc_pb2
from tests.contracts.etcd_talk import EtcdApi, refused, soon


class LeaseContract:
    """A subclass offers the fixture `api`."""

    async def test_what_is_written_under_a_lease_goes_with_it(self, api: EtcdApi) -> None:
        lease = await api.grant()
        await api.put("stays")
        before = await api.put("a", lease=lease)
        await api.txn(api.putting("b", lease=lease))
        found = await api.get("b")
        assert found is not None
        assert found.lease == lease
        await api.revoke(lease)
        after = await api.all()
        assert (api.names(after.kvs), after.header.revision) == (["stays"], before + 2)

    async def test_a_key_that_is_written_without_its_lease_stays(self, api: EtcdApi) -> None:
        lease = await api.grant()
        await api.put("iris", lease=lease)
        await api.put("iris")
        await api.revoke(lease)
        assert await api.get("iris") is not None

    async def test_a_lease_that_is_not_there_is_told(self, api: EtcdApi) -> None:
        lease = await api.grant()
        await api.revoke(lease)
        told = [await refused(api.revoke(lease)), await refused(api.put("iris", lease=lease))]
        assert set(told) == {(grpc.StatusCode.NOT_FOUND, "etcdserver: requested lease not found")}

    async def test_a_lease_may_be_named_and_named_once(self, api: EtcdApi) -> None:
        request = rpc_pb2.LeaseGrantRequest(TTL=60, ID=secrets.randbits(60))
        answer = await api.leases.LeaseGrant(request)
        assert (answer.ID, answer.TTL) == (request.ID, 60)
        assert await refused(api.leases.LeaseGrant(request)) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "etcdserver: lease already exists",
        )

    async def test_a_time_that_is_too_short_is_made_longer_and_one_too_long_is_refused(
        self, api: EtcdApi
    ) -> None:
        short = await api.leases.LeaseGrant(rpc_pb2.LeaseGrantRequest(TTL=0))
        assert short.TTL >= 1
        code, text = await refused(api.grant(10**10))
        assert (code, text) == (grpc.StatusCode.OUT_OF_RANGE, "etcdserver: too large lease TTL")

    async def test_a_lease_is_kept_alive_as_long_as_it_lives(self, api: EtcdApi) -> None:
        lease = await api.grant(60)
        call = api.leases.LeaseKeepAlive()
        for _ in range(2):
            await soon(call.write(rpc_pb2.LeaseKeepAliveRequest(ID=lease)))
            answer = await soon(call.read())
            assert (lease, 60) == (answer.ID, answer.TTL)
        await api.revoke(lease)
        await soon(call.write(rpc_pb2.LeaseKeepAliveRequest(ID=lease)))
        assert (await soon(call.read())).TTL == 0
        call.cancel()

    async def test_a_lease_that_nobody_keeps_alive_ends_and_watches_see_it(self, api: EtcdApi) -> None:
        lease = await api.grant(2)
        await api.txn(api.putting("a", lease=lease), api.putting("b", lease=lease))
        async with api.watching() as watching:
            await watching.create()
            [first, second] = (await watching.next()).events
        assert {first.type, second.type} == {kv_pb2.Event.DELETE}
        assert first.kv.mod_revision == second.kv.mod_revision
        assert await refused(api.revoke(lease)) == (
            grpc.StatusCode.NOT_FOUND,
            "etcdserver: requested lease not found",
        )

    async def test_how_long_a_lease_has_left_and_what_is_under_it_can_be_asked(self, api: EtcdApi) -> None:
        lease = await api.grant(60)
        await api.txn(api.putting("a", lease=lease), api.putting("b", lease=lease))
        request = rpc_pb2.LeaseTimeToLiveRequest(ID=lease, keys=True)
        answer = await api.leases.LeaseTimeToLive(request)
        assert (50 < answer.TTL <= 60, answer.grantedTTL) == (True, 60)
        assert set(answer.keys) == {api.key("a"), api.key("b")}
        await api.revoke(lease)
        assert (await api.leases.LeaseTimeToLive(request)).TTL == -1
