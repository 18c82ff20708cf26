"""The embedded registry as a server: the part of etcd's v3 gRPC API that our client speaks, over one file.

A laptop, or a mesh of several processes on one machine, so needs no etcd, and its clients do not know the
difference. One server has one file; there is no replication, no authentication and no encryption, so that it
should listen on loopback or on a unix socket.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from adapter.aio.clock import Clock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry import embedded_checks as checks
from adapter.registry.alongside import alongside
from adapter.registry.embedded import StoreThread
from adapter.registry.embedded_services import KV, Auth, Lease, State, Watch
from adapter.stubs.etcd import rpc_pb2

log = logging.getLogger(__name__)

GRACE_S: Final = 1.0

OPTIONS: Final = (
    # As etcd: the largest request and some room for its frame, so that the refusal is ours.
    ("grpc.max_receive_message_length", checks.REQUEST_BYTES_MAX + 512 * 1024),
    ("grpc.max_send_message_length", -1),  # a range may be large; who asks for all of it gets it
    ("grpc.max_concurrent_streams", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A client that has vanished without a word is found out.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Else two servers share one port in silence.
    ("grpc.so_reuseport", 0),
)

Services = Mapping[str, dict[str, "grpc.RpcMethodHandler[Any, Any]"]]
"""The methods of each, by their names."""


@asynccontextmanager
async def embedded_serving(path: Path, address: str, *, clock: Clock) -> AsyncIterator[str]:
    """Serve the registry in this file on `host:port` (port 0: any that is free) or `unix:path` while inside.

    Gives the address that clients dial. On leaving, what was asked for is done. Raises `RegistryUnavailable`
    if the file is damaged or in use by another process, or nothing can listen on the address.
    """
    async with StoreThread.open(path) as thread:
        state = State(thread, clock)
        server = grpc.aio.server(options=OPTIONS)
        for service, methods in _services(state).items():
            handler = grpc.method_handlers_generic_handler(f"etcdserverpb.{service}", methods)
            server.add_generic_rpc_handlers((handler,))
        serving = _listen(server, address)
        await server.start()
        log.info("the registry listens", extra={"address": serving, "file": str(path)})
        try:
            async with alongside(state.end_leases(), state.remind()):
                yield serving
        finally:
            state.stop()
            await server.stop(GRACE_S)
            log.info("the registry stopped listening", extra={"address": serving})


def _listen(server: grpc.aio.Server, address: str) -> str:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise RegistryUnavailable(
            f"the registry cannot listen on {address}: "
            "another program does, or this machine has no such address"
        ) from error
    if address.startswith("unix:"):
        return address
    return f"{address.rpartition(':')[0]}:{port}"


def _services(state: State) -> Services:
    kv, watch, lease, auth = KV(state), Watch(state), Lease(state), Auth()
    return {
        "KV": {
            "Range": _unary(kv.range_, rpc_pb2.RangeRequest),
            "Put": _unary(kv.put, rpc_pb2.PutRequest),
            "DeleteRange": _unary(kv.delete_range, rpc_pb2.DeleteRangeRequest),
            "Txn": _unary(kv.txn, rpc_pb2.TxnRequest),
            "Compact": _unary(kv.compact, rpc_pb2.CompactionRequest),
        },
        "Watch": {"Watch": _stream(watch.watch, rpc_pb2.WatchRequest)},
        "Lease": {
            "LeaseGrant": _unary(lease.grant, rpc_pb2.LeaseGrantRequest),
            "LeaseRevoke": _unary(lease.revoke, rpc_pb2.LeaseRevokeRequest),
            "LeaseKeepAlive": _stream(lease.keep_alive, rpc_pb2.LeaseKeepAliveRequest),
            "LeaseTimeToLive": _unary(lease.time_to_live, rpc_pb2.LeaseTimeToLiveRequest),
        },
        "Auth": {"Authenticate": _unary(auth.authenticate, rpc_pb2.AuthenticateRequest)},
    }


def _unary(
    behaviour: Callable[[Any, Any], Awaitable[Message]], request: type[Message]
) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        behaviour, request_deserializer=request.FromString, response_serializer=_serialized
    )


def _stream(
    behaviour: Callable[[Any, Any], Awaitable[None]], request: type[Message]
) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.stream_stream_rpc_method_handler(
        behaviour, request_deserializer=request.FromString, response_serializer=_serialized
    )


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
