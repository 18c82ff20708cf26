"""All of h2spec against port 8033, and the server after it.

What fails must be listed in `FAILS`, with the reason; and what is listed must fail.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

FAILS: Mapping[str, str] = {
    "http2/4.2: Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE": (
        "the frame has a little over 16 KiB, and we announce that we take 64 KiB"
    ),
    "hpack/6.3: Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE": (
        "tables of up to 4096 bytes are read although we announce 0, for clients that look at our SETTINGS "
        "too late or never, as those of Go's standard library before 1.20"
    ),
}
"""`package: sentence` of each case that fails, and why."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What h2spec found, and what it left behind."""

    door: Door
    failed: Mapping[str, str]
    """What it said of each case that did not pass; a skipped one has not."""
    cases: int
    grown_bytes: int


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    with (
        meshes.echo_runtime(tmp_path_factory.mktemp("runtime"), made) as runtime,
        meshes.relay(tmp_path_factory.mktemp("instance"), runtime, made) as door,
    ):
        assert call(door) == b"still there"
        before_bytes = door.resident_bytes
        outcomes = run(door, tmp_path_factory.mktemp("h2spec") / "h2spec.xml")
        yield Examined(
            door=door,
            failed={case: said for case, said in outcomes.items() if said},
            cases=len(outcomes),
            grown_bytes=door.resident_bytes - before_bytes,
        )


def call(door: Door) -> bytes:
    with door.channel() as channel:
        start: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        return start(b"still there", metadata=(("mm-model-id", door.model),), timeout=20)


def run(door: Door, report: Path) -> dict[str, str]:
    """What became of each case, empty if it passed."""
    address = ("--host", "127.0.0.1", "--port", str(door.port), "--timeout", str(WAIT_S))
    # Its status tells only whether every case passed, and the report tells more.
    done = finished(tool(h2spec.RECIPE), *address, "--junit-report", report, s_max=RUN_S_MAX)
    assert report.exists(), done.stdout + done.stderr
    return dict(map(_outcome, ET.parse(report).iter("testcase")))


def _outcome(case: ET.Element) -> tuple[str, str]:
    bad = [found for kind in ("failure", "error", "skipped") if (found := case.find(kind)) is not None]
    said = " ".join((bad[0].text or bad[0].tag).split()) if bad else ""
    return f"{case.get('package')}: {case.get('classname')}", said


@pytest.mark.timeout(RUN_S_MAX + 60)
def test_what_fails_is_known(examined: Examined) -> None:
    assert examined.cases == CASES
    new = [f"{case}\n    {said}" for case, said in examined.failed.items() if case not in FAILS]
    mended = [f"{case}: passes now; take it out of FAILS" for case in FAILS if case not in examined.failed]
    assert not new + mended, f"{len(examined.failed)} of {CASES} failed\n" + "\n".join(new + mended)


def test_nearly_all_pass(examined: Examined) -> None:
    assert examined.cases - len(examined.failed) >= PASSED_MIN


def test_the_server_still_serves_and_has_not_grown(examined: Examined) -> None:
    assert call(examined.door) == b"still there"
    assert examined.grown_bytes < GROWTH_BYTES_MAX
