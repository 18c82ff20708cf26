"""The doors.

Owns   everything that listens: inference on 8033, the management API, the SPI for a foreign mesh.
Never  decides where a request goes or what is loaded: it asks what the program gave it.
Read   grpc_server (what they share), management, model_runtime (the SPI), inference (what we answer
       ourselves); then passthrough (all other inference), retries, streams, runtime_channel.
"""
