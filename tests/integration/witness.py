"""A client that behaves, in a process of its own: it tells whether anything disturbed it.

It makes one call after the other. For each line that it reads it writes what became of its calls since the
line before: how many there were, which failed, and how long they took.

    python -m tests.integration.witness 127.0.0.1:8033 echo
"""

import json
import select
import sys
import time

import grpc

PAUSE_S = 0.005
CALL_S_MAX = 10.0
METHOD = "/test.Echo/Unary"


def main(target: str, model: str) -> None:
    latencies_ms: list[float] = []
    failures: list[str] = []
    with grpc.insecure_channel(target) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        while True:
            if select.select([sys.stdin], [], [], PAUSE_S)[0]:
                if not sys.stdin.readline():
                    return
                sys.stdout.write(json.dumps({"latencies_ms": latencies_ms, "failures": failures}) + "\n")
                sys.stdout.flush()
                latencies_ms.clear()
                failures.clear()
            began_s = time.monotonic()
            try:
                assert call(b"still there", metadata=(("mm-model-id", model),), timeout=CALL_S_MAX)
            except grpc.RpcError as error:
                failures.append(str(error))
            latencies_ms.append((time.monotonic() - began_s) * 1e3)


if __name__ == "__main__":
    main(*sys.argv[1:])
