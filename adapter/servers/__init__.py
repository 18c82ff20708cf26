"""The doors.

Owns   everything that listens: inference and management on 8033, other instances on 8080, REST on 8008,
       metrics on 2112, probes on 8089 and 8090, the SPI for a foreign mesh; and what they share with those
       who call: TLS, payload processors.
Never  decides where a request goes or what is loaded: it asks what the program gave it.
Read   listening and inherited (where sockets come from); calls (a call from inside this process),
       relay_server over relay_sockets (the sockets around `http2`), tls, peer_tls, self_signed;
       grpc_server (what our own gRPC services share), management, inference (what we answer of V2), health,
       reflection, peer (what instances ask of each other, and `explain`), model_runtime (the SPI);
       rest_gateway over rest_connection (the library's protocol, with rest_joining), rest_app, rest_routes,
       then rest_v2, rest_v1, rest_repository with rest_headers, rest_body, rest_exchange, rest_answers,
       rest_options; small_http with metrics_server and probes; payload_processors over payload_uris,
       payload_messages, payload_sinks.
"""
