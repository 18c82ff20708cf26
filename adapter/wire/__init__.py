"""How messages and headers read.

Owns   model ids in headers and in encoded messages, how gRPC frames its messages, V2 and V1 JSON,
       tensors, what an error is in HTTP.
Never  opens a socket, knows a model's state, or keeps anything between calls.
Read   headers, splice, dataplane (whose id, by which path); grpc_messages; v2_tensors, v2_json (the door
       of the JSON modules: fields, elements, text, v2_messages, v1_json); statuses.
"""
