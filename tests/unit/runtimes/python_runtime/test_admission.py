import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from runtimes.python_runtime.admission import Admission, Bounds, KeyedLocks, PatientCaller
from runtimes.python_runtime.errors import OutOfTime, TooBusy

PATIENT = PatientCaller()


class Hasty(PatientCaller):
    def time_remaining(self) -> float | None:
        return 0.0


class Gone(PatientCaller):
    def is_active(self) -> bool:
        return False


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def an_admission(running: int = 1, admitted: int = 3, total: int = 4) -> Admission:
    return Admission(Bounds(running_max=running, admitted_max=admitted, total_max=total))


def waiting(
    admission: Admission, model: str, pool: ThreadPoolExecutor, caller: PatientCaller = PATIENT
) -> Future[None]:
    """A further request, once it stands in the queue."""
    before = len(admission._gates[model].waiting)

    def request() -> None:
        with admission.admitted(model, caller):
            pass

    future = pool.submit(request)
    while len(admission._gates[model].waiting) == before and not future.done():
        pass
    return future


def test_another_model_does_not_wait(pool: ThreadPoolExecutor) -> None:
    admission = an_admission()
    with admission.admitted("slow", PATIENT), admission.admitted("quick", PATIENT):
        assert not waiting(admission, "slow", pool).done()


def test_who_waits_gets_the_place_of_who_leaves(pool: ThreadPoolExecutor) -> None:
    admission = an_admission()
    with admission.admitted("iris", PATIENT):
        second = waiting(admission, "iris", pool)
    second.result(timeout=10)
    assert admission._gates == {}
    assert admission._total == 0


@pytest.mark.parametrize(
    ("models", "refused"),
    [
        pytest.param(["a", "a", "a"], "a", id="too many for one model"),
        pytest.param(["a", "b", "c", "d"], "e", id="too many in all"),
    ],
)
def test_beyond_the_bound_a_request_is_turned_away(models: list[str], refused: str) -> None:
    admission = an_admission(running=9)
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(admission.admitted(model, PATIENT))
        with pytest.raises(TooBusy, match=f"for model {refused}"), admission.admitted(refused, PATIENT):
            pass
    assert admission._total == 0


def test_who_has_no_time_does_not_wait(pool: ThreadPoolExecutor) -> None:
    admission = an_admission()
    with admission.admitted("iris", PATIENT), pytest.raises(OutOfTime), admission.admitted("iris", Hasty()):
        pass
    assert admission._gates == {}


def test_who_went_away_while_waiting_is_passed_over(pool: ThreadPoolExecutor) -> None:
    admission = an_admission()
    with admission.admitted("iris", PATIENT):
        gone, next_one = waiting(admission, "iris", pool, Gone()), waiting(admission, "iris", pool)
    with pytest.raises(OutOfTime):
        gone.result(timeout=10)
    next_one.result(timeout=10)
    assert admission._gates == {}


def test_requests_that_a_batch_takes_do_not_wait() -> None:
    admission = an_admission(running=1)
    with admission.admitted("iris", PATIENT, alone=False), admission.admitted("iris", PATIENT, alone=False):
        assert admission._gates["iris"].running == 2
    assert admission._gates == {}


def test_idle_is_when_the_last_has_left(pool: ThreadPoolExecutor) -> None:
    admission = an_admission()
    assert admission.wait_until_idle("iris", patience_s=0)
    with admission.admitted("iris", PATIENT):
        assert not admission.wait_until_idle("iris", patience_s=0)
        idle = pool.submit(admission.wait_until_idle, "iris", patience_s=10)
    assert idle.result(timeout=10)


def test_never_more_run_than_may(pool: ThreadPoolExecutor) -> None:
    admission, running, most = an_admission(running=2, admitted=99, total=99), [0], [0]
    lock = threading.Lock()

    def request() -> None:
        with admission.admitted("iris", PATIENT):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            with lock:
                running[0] -= 1

    for future in [pool.submit(request) for _ in range(200)]:
        future.result(timeout=10)
    assert most[0] <= 2
    assert admission._gates == {}
    assert admission._total == 0


def test_a_name_is_locked_only_against_itself(pool: ThreadPoolExecutor) -> None:
    locks = KeyedLocks()

    def enter(name: str) -> None:
        with locks.of(name):
            pass

    with locks.of("iris"):
        pool.submit(enter, "mnist").result(timeout=10)
        other = pool.submit(enter, "iris")
        assert not other.done()
    other.result(timeout=10)
    assert locks._held == {}
