"""What starts in which order, and ends in the reverse."""

import asyncio
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from runtimes.python_runtime.admission import Admission, Bounds
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.options import Options
from runtimes.python_runtime.repository import Repository
from runtimes.python_runtime.server import RESERVED_THREADS, Servicer, start_grpc

log = logging.getLogger(__name__)

STOP_GRACE_S = 10.0
"""How long requests that run may go on once a signal came."""


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    if options.grpc_socket:
        with suppress(FileNotFoundError):
            os.unlink(options.grpc_socket)  # noqa: PTH108  what a killed process left behind
    try:
        return asyncio.run(_serve(options))
    except (OSError, RuntimeError) as error:
        log.error("cannot listen: %s", error)  # noqa: TRY400  the address is all that matters
        return 1


async def _serve(options: Options) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    admission = Admission(
        Bounds(
            running_max=options.model_concurrency,
            admitted_max=max(1, options.requests_max * 3 // 4),
            total_max=options.requests_max,
        )
    )
    repository = Repository(os.path.abspath(options.models_dir), admission=admission)  # noqa: PTH100
    inference = Inference(repository, admission)
    with ThreadPoolExecutor(options.requests_max + RESERVED_THREADS, "request") as pool:
        server, grpc_port = start_grpc(Servicer(repository, inference), options, pool)
        try:
            if options.rest_port is None:
                log.info("listening grpc=%s socket=%s", grpc_port, options.grpc_socket or None)
                await stop.wait()
            else:
                from runtimes.python_runtime.rest import serve_rest

                await serve_rest(repository, inference, options, pool, grpc_port, stop)
        finally:
            log.info("stopping")
            await asyncio.to_thread(server.stop(STOP_GRACE_S).wait)
    return 0
