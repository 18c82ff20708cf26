import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyRecord
from adapter.mesh.failed_copies import NO_FAILURES, coded, failures_of
from adapter.mesh.verdicts import Reject
from tests.builders import MINUTE_MS, NOW_MS, SECOND_MS, copies, failed, loaded, loading

MISSING = failed("FAILED_PRECONDITION: there is no object at s3://b/iris", everywhere=True)


def refusal(**records: CopyRecord) -> Reject | None:
    return failures_of(copies(**records), NOW_MS).refusal(NOW_MS)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"a": loaded(), "b": loading()}, id="copies"),
        pytest.param({"a": failed(expires_ms=0)}, id="a failure that expires now"),
    ],
)
def test_where_nothing_failed_there_are_no_failures(records: dict[str, CopyRecord]) -> None:
    failures = failures_of(copies(**records), NOW_MS)
    assert not failures
    assert failures is NO_FAILURES
    assert (failures.refusal(NOW_MS), failures.latest(NOW_MS)) == (None, None)


def test_the_latest_failure_comes_first() -> None:
    failures = failures_of(
        copies(
            a=failed("A: 1", ago_ms=9), b=failed("B: 2", ago_ms=1), c=failed("C: 3", ago_ms=1), d=loaded()
        ),
        NOW_MS,
    )
    assert failures.texts == ("B: 2", "C: 3", "A: 1")
    assert list(failures.by_instance) == ["b", "c", "a"]


def test_the_latest_failure_is_told_with_its_code_and_when_it_is_tried_again() -> None:
    failures = failures_of(copies(a=failed("DATA_LOSS: cannot be read", expires_ms=90 * SECOND_MS)), NOW_MS)
    told = Reject(Code.DATA_LOSS, "cannot be read; tried again in 90 s")
    assert failures.latest(NOW_MS) == told
    assert failures.at(InstanceId("a"), NOW_MS) == told
    assert failures.at(InstanceId("b"), NOW_MS) is None


def test_a_failure_without_a_text_is_told_all_the_same() -> None:
    assert failures_of(copies(a=failed("")), NOW_MS).latest(NOW_MS) == Reject(
        Code.INTERNAL, "its load failed; tried again in 10 min"
    )


@pytest.mark.parametrize(
    "records",
    [
        pytest.param({"a": failed(), "b": failed()}, id="two failures"),
        pytest.param({"a": failed(), "b": failed(), "c": failed(expires_ms=-1)}, id="a third that expired"),
        pytest.param({"a": failed(crashes=1)}, id="one crash"),
        pytest.param({"a": failed(everywhere=True, expires_ms=0)}, id="everywhere, expired"),
        pytest.param({"a": loaded(crashes=1), "b": failed(crashes=2, expires_ms=0)}, id="crashes, expired"),
        pytest.param({"a": loaded(crashes=2), "b": failed()}, id="crashes long ago, and a failure"),
    ],
)
def test_another_instance_may_try_after(records: dict[str, CopyRecord]) -> None:
    assert refusal(**records) is None


def test_three_failures_are_enough() -> None:
    assert refusal(
        a=failed("INTERNAL: first", ago_ms=3, expires_ms=5 * MINUTE_MS),
        b=failed("UNAVAILABLE: last", ago_ms=1, expires_ms=9 * MINUTE_MS),
        c=failed("INTERNAL: second", ago_ms=2, expires_ms=3 * MINUTE_MS),
    ) == Reject(
        Code.UNAVAILABLE, "last; its load failed in 3 instances; tried again in 3 min"
    )  # in 3 minutes only two of them count


def test_with_more_than_three_failures_all_but_two_must_expire() -> None:
    records = {name: failed(expires_ms=n * MINUTE_MS) for n, name in enumerate("abcde", 3)}
    verdict = refusal(**records)
    assert verdict is not None
    assert verdict.text.endswith("its load failed in 5 instances; tried again in 5 min")


def test_what_fails_everywhere_is_tried_nowhere_else() -> None:
    assert refusal(a=MISSING, b=loaded()) == Reject(
        Code.FAILED_PRECONDITION,
        "there is no object at s3://b/iris; it would fail alike in every instance; tried again in 10 min",
    )


@pytest.mark.parametrize(
    ("records", "often", "again"),
    [
        pytest.param({"a": failed(crashes=2)}, "twice", "10 min", id="twice in one instance"),
        pytest.param({"a": failed(crashes=1), "b": failed(crashes=1)}, "twice", "10 min", id="in two"),
        pytest.param(
            {"a": failed(crashes=1), "b": failed(crashes=1, expires_ms=30 * MINUTE_MS)},
            "twice",
            "30 min",
            id="until the last has expired",
        ),
        pytest.param(
            {"a": failed(crashes=1), "b": failed(crashes=1, expires_ms=0)}, "twice", "10 min", id="memory"
        ),
        pytest.param(
            {"a": failed(crashes=1), "b": loaded(crashes=2)}, "3 times", "10 min", id="of what was loaded"
        ),
    ],
)
def test_two_ends_of_a_runtime_quarantine(records: dict[str, CopyRecord], often: str, again: str) -> None:
    assert refusal(**records) == Reject(
        Code.FAILED_PRECONDITION,
        f"quarantined: the runtime ended {often} while loading or answering it "
        f"(last: the runtime said no); tried again in {again}; re-register it to lift that",
    )


def test_a_quarantine_says_nothing_of_what_it_does_not_know() -> None:
    verdict = refusal(a=failed("", crashes=2))
    assert verdict is not None
    assert "answering it; tried again" in verdict.text


@pytest.mark.parametrize(
    ("text", "code", "rest"),
    [
        pytest.param("DATA_LOSS: bad: file", Code.DATA_LOSS, "bad: file", id="a code"),
        pytest.param("no code: text", Code.UNAVAILABLE, "no code: text", id="a word that is none"),
        pytest.param("INTERNAL", Code.UNAVAILABLE, "INTERNAL", id="a code without a text"),
        pytest.param("", Code.UNAVAILABLE, "", id="nothing"),
    ],
)
def test_the_code_of_a_text(text: str, code: Code, rest: str) -> None:
    assert coded(text, Code.UNAVAILABLE) == (code, rest)
