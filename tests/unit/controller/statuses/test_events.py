from adapter.controller.statuses.events import NOTE_CHARS_MAX, news
from adapter.controller.statuses.standing import Failure, ModelState, Standing, Transition
from tests.unit.controller.statuses.status_builders import NEW, NO_RUNTIME, observed, reported

FAILING = Standing(
    active=ModelState.FAILED, failure=Failure(reason="NoSupportingRuntime", message=NO_RUNTIME.message)
)
READY = Standing(active=ModelState.LOADED, available=True)
SEEN = observed(reported(None), selection=NO_RUNTIME)


def test_a_refusal_is_an_event_with_every_runtime_in_it() -> None:
    ((kind, reason, text),) = news(Standing(), FAILING, SEEN)
    assert (kind, reason) == ("Warning", "NoSupportingRuntime")
    assert text.endswith("mlserver-1.x: it does not serve foo")


def test_a_refusal_that_is_known_is_none() -> None:
    assert news(FAILING, FAILING, SEEN) == ()


def test_a_model_that_becomes_ready_is_an_event() -> None:
    assert news(Standing(), READY, SEEN) == (
        ("Normal", "Ready", "The model is served at grpc://modelmesh-serving.ns:8033"),
    )
    assert news(READY, READY, SEEN) == ()


def test_a_spec_that_took_effect_is_an_event() -> None:
    moving = Standing(
        active=ModelState.LOADED,
        target=ModelState.LOADING,
        transition=Transition.IN_PROGRESS,
        available=True,
    )
    assert news(READY, moving, SEEN) == ()
    assert news(moving, READY, SEEN) == (
        ("Normal", "Updated", f"The model of the latest spec serves: {NEW}"),
    )


def test_a_long_text_fits_an_event() -> None:
    long = Standing(failure=Failure(reason="ModelLoadFailed", message="x" * 4000))
    assert len(news(Standing(), long, SEEN)[0][2]) <= NOTE_CHARS_MAX
