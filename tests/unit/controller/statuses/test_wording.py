from adapter.controller.statuses.standing import Failure, ModelState, Standing
from adapter.controller.statuses.wording import LISTED_MAX, explained, shortened
from adapter.controller.verdicts import NoRuntime, Refusal
from adapter.domain.specs import FailureReason
from tests.unit.controller.statuses.status_builders import NO_RUNTIME, observed, reported

UNHEALTHY = Standing(failure=Failure(reason="RuntimeUnhealthy", message="Waiting for it"))


def failing(reason: str, message: str) -> Standing:
    return Standing(active=ModelState.FAILED, failure=Failure(reason=reason, message=message))


def test_who_is_refused_is_told_by_whom_and_why() -> None:
    text = explained(
        failing("NoSupportingRuntime", NO_RUNTIME.message), observed(reported(None), selection=NO_RUNTIME)
    )
    assert text == (
        "No ServingRuntime supports specified model type and/or protocol: mlserver-1.x: it does not serve foo"
    )


def test_who_waits_is_told_why_the_runtime_does_not_come() -> None:
    seen = observed(reported(None), problems=("mlserver-1.x: container mlserver ends with 1: no module",))
    assert explained(UNHEALTHY, seen) == (
        "Waiting for it: mlserver-1.x: container mlserver ends with 1: no module"
    )
    assert explained(UNHEALTHY, observed(reported(None))) == "Waiting for it"


def test_a_load_that_failed_is_not_explained_by_runtimes() -> None:
    seen = observed(reported(None), problems=("x",), selection=NO_RUNTIME)
    assert explained(failing("ModelLoadFailed", "no file"), seen) == "no file"


def test_what_did_not_fail_is_explained_by_its_state() -> None:
    assert explained(Standing(), observed(reported(None))) == "The model is not registered yet"


def test_of_many_refusals_the_first_are_listed() -> None:
    many = NoRuntime(
        type="mt:x",
        reason=FailureReason.NO_SUPPORTING_RUNTIME,
        message="None",
        refusals=tuple(Refusal(runtime=f"r{i}", because="no") for i in range(LISTED_MAX + 3)),
    )
    text = explained(failing("NoSupportingRuntime", "None"), observed(reported(None), selection=many))
    assert text.count("no") == LISTED_MAX
    assert text.endswith("and 3 more")


def test_a_long_text_keeps_both_ends() -> None:
    assert shortened("short") == "short"
    text = shortened("a" * 5000 + "z" * 5000)
    assert len(text) <= 4096
    assert (text[0], text[-1]) == ("a", "z")
