"""How frames flow: HTTP/2 (RFC 9113) as far as gRPC needs it, without a socket, a clock or a task.

Bytes are given to a connection and bytes are taken from it; what they mean goes from one connection to the
other by way of a `Call`, which joins a client's stream with a runtime's. Decisions about a call are the
router's (`verdicts`), the time is an argument, and the asyncio shell is `servers/relay_server`.

Reading order: `frames`, `header_blocks`, `request_head`, `flow`, `connection`, `server_side`, `client_side`,
`verdicts`, `call`, `upstream`, `relay`.
"""
