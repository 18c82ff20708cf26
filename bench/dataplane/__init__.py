"""What the relay costs: CPU a call, latency and memory, beside nginx and a `grpc.aio` proxy, in one sitting.

Owns   the figures of the data plane, and how they are measured (docs/dataplane.md).
Does   starts a backend and each proxy on cores of their own, asks them in turns, checks that every call was
       served and answered, and tells medians with ranges.
Read   cases (what is asked), then measure (one run), proxies (who is between), figures (what is told);
       traffic/ is both ends of the wire, in Go.
"""
