"""How frames flow: HTTP/2 (RFC 9113) as far as gRPC needs it.

Bytes are given to a connection and bytes are taken from it; what they mean goes from one connection to the
other by way of a `Call`, which joins a client's stream with a runtime's.

Owns   both sides of a connection, what may be sent when, which call is sent again, the limits, the counts.
Never  opens a socket, reads a clock or starts a task: the time is an argument, the shell is
       `servers/relay_server`. Never decides where a call goes: that is the router's (`verdicts`).
Read   frames, header_blocks with huffman, metadata, field_kinds, request_head and response_head; flow,
       outgoing, control_frames, connection, server_side, client_side; verdicts, retries, request_half,
       tries, call; upstream, relay, relief, local_client, page.
"""
