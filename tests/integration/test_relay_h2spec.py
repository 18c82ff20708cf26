"""All of h2spec against port 8033, and the server after it.

What fails must be listed in `FAILS`, with the reason; and what is listed must fail.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest

from tests.integration import certificates
from tests.integration.clients import meshes
from tests.integration.clients.exercises import finished
from tests.integration.clients.meshes import Door
from tests.integration.conftest import tool
from tests.tools import h2spec

CASES = 145
PASSED_MIN = 140
GROWTH_BYTES_MAX = 10 << 20
WAIT_S = 1
"""How long h2spec waits for each answer."""
RUN_S_MAX = 300.0
"""It takes seconds, unless the server leaves many cases without an answer."""

FAILS: Mapping[str, str] = {}
"""`package: sentence` of each case that fails, and why."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    with (
        meshes.echo_runtime(tmp_path_factory.mktemp("runtime"), made) as runtime,
        meshes.relay(tmp_path_factory.mktemp("instance"), runtime, made) as opened,
    ):
        yield opened


def call(door: Door) -> bytes:
    with door.channel() as channel:
        start: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        return start(b"still there", metadata=(("mm-model-id", door.model),), timeout=20)


def run(door: Door, report: Path) -> dict[str, str]:
    """What became of each case, empty if it passed; a skipped one has not."""
    address = ("--host", "127.0.0.1", "--port", str(door.port), "--timeout", str(WAIT_S))
    # Its status tells only whether every case passed, and the report tells more.
    done = finished(tool(h2spec.RECIPE), *address, "--junit-report", report, s_max=RUN_S_MAX)
    assert report.exists(), done.stdout + done.stderr
    return dict(map(_outcome, ET.parse(report).iter("testcase")))


def _outcome(case: ET.Element) -> tuple[str, str]:
    bad = next((found for kind in ("failure", "error", "skipped") if (found := case.find(kind)) is not None), None)
    said = "" if bad is None else " ".join((bad.text or bad.tag).split())
    return f"{case.get('package')}: {case.get('classname')}", said


@pytest.mark.timeout(RUN_S_MAX + 60)
def test_h2spec_and_the_server_after_it(door: Door, tmp_path: Path) -> None:
    assert call(door) == b"still there"
    before_bytes = door.resident_bytes
    outcomes = run(door, tmp_path / "h2spec.xml")
    failed = {case: said for case, said in outcomes.items() if said}
    assert len(outcomes) == CASES
    assert failed.keys() == FAILS.keys(), _told(failed)
    assert len(outcomes) - len(failed) >= PASSED_MIN
    assert call(door) == b"still there"
    assert door.resident_bytes - before_bytes < GROWTH_BYTES_MAX


def _told(failed: Mapping[str, str]) -> str:
    new = [f"{case}\n    {said}" for case, said in failed.items() if case not in FAILS]
    mended = [f"{case}: passes now; take it out of FAILS" for case in FAILS if case not in failed]
    return f"{len(failed)} of {CASES} failed\n" + "\n".join([*new, *mended])
