"""`python -m tests.kubelet --kubeconfig FILE --images FILE`: be a Node until told to end."""

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.kubelet.api import read_kubeconfig
from tests.kubelet.container import BackOff
from tests.kubelet.network import lacking, networking
from tests.kubelet.node import NodeSettings, run_node


def main(arguments: list[str]) -> int:
    """Ends with 0 when told to by a signal, and leaves nothing on this machine."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument(
        "--images", type=Path, required=True, help="what images are; see tests/kubelet/images.py"
    )
    parser.add_argument("--name", default="node-1", help="of the Node")
    parser.add_argument(
        "--expose", type=int, action="append", default=[], metavar="PORT", help="of 127.0.0.1"
    )
    parser.add_argument("--back-off-s", type=float, default=10.0, help="before the second restart in a row")
    asked = parser.parse_args(arguments)
    if problem := lacking():
        parser.error(problem)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = NodeSettings(
        name=asked.name,
        images=asked.images,
        exposed=tuple(asked.expose),
        back_off=BackOff(first_s=asked.back_off_s),
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_told(asked.kubeconfig, settings))
    return 0


async def _until_told(kubeconfig: Path, settings: NodeSettings) -> None:
    task = asyncio.current_task()
    assert task is not None
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    with networking() as network:
        await run_node(read_kubeconfig(kubeconfig), network, settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
