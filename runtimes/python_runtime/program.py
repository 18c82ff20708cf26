"""What starts in which order, and ends in the reverse."""

import asyncio
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from runtimes.python_runtime.admission import Admission, Bounds
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.options import Options
from runtimes.python_runtime.repository import Repository
from runtimes.python_runtime.server import RESERVED_THREADS, Servicer, start_grpc

if TYPE_CHECKING:
    from runtimes.python_runtime.rest_server import RestServer

log = logging.getLogger(__name__)

STOP_GRACE_S = 10.0
"""How long requests that run may go on once a signal came."""


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    if options.grpc_socket:
        with suppress(FileNotFoundError):
            os.unlink(options.grpc_socket)
    try:
        return asyncio.run(_serve(options))
    except (OSError, RuntimeError) as error:
        log.error("cannot listen: %s", error)  # noqa: TRY400  the address is all that matters
        return 1


async def _serve(options: Options) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    admission = Admission(_bounds(options))
    repository = Repository(options.models_dir, admission=admission)
    inference = Inference(repository, admission)
    with ThreadPoolExecutor(options.requests_max + RESERVED_THREADS, "request") as pool:
        server, grpc_port = start_grpc(Servicer(repository, inference), options, pool)
        try:
            rest = _rest(repository, inference, options, pool)
            log.info(
                "listening grpc=%s socket=%s rest=%s",
                "off" if grpc_port is None else grpc_port,
                options.grpc_socket or "off",
                "off" if rest is None else rest.port,
            )
            await (stop.wait() if rest is None else rest.serve(stop))
        finally:
            log.info("stopping")
            await asyncio.to_thread(server.stop(STOP_GRACE_S).wait)
    return 0


def _bounds(options: Options) -> Bounds:
    """One model never gets all places, so that others always find one."""
    return Bounds(
        running_max=options.model_concurrency,
        admitted_max=max(1, options.requests_max * 3 // 4),
        total_max=options.requests_max,
    )


def _rest(
    repository: Repository, inference: Inference, options: Options, pool: ThreadPoolExecutor
) -> "RestServer | None":
    """Listening for REST, unless it is off."""
    if options.rest_port is None:
        return None
    from runtimes.python_runtime.rest import Rest
    from runtimes.python_runtime.rest_server import RestServer  # 15 MB that a pod without REST need not hold

    app = Rest(repository, inference, options=options, pool=pool).app()
    return RestServer(app, host=options.host, port=options.rest_port)
