import pytest

from adapter.domain.errors import Code, ModelNotFound
from adapter.http2.call import REFUSAL_CHARS_MAX
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from adapter.http2.verdicts import Answer, Target
from tests.fakes.relay_peers import RPC, framed
from tests.fakes.relay_play import Play

WINDOW = int(Setting.INITIAL_WINDOW_SIZE)


# From one side to the other.


def test_a_unary_call_goes_through() -> None:
    play = Play()
    seen = play.client().call(b"question", extra=[("x-request-id", "7")])
    (asked,) = play.runtime.calls
    assert asked.blocks[0][":path"] == f"/{RPC}"
    assert asked.blocks[0]["x-request-id"] == "7"
    assert (asked.data, asked.ended) == (framed(b"question"), True)
    play.runtime.answer(1, b"answer")
    assert (seen.data, seen.code, len(seen.blocks)) == (framed(b"answer"), Code.OK, 2)
    assert seen.reset is asked.reset is None
    assert play.router.codes == [Code.OK]
    play.check_rest()


def test_a_call_with_a_model_says_which() -> None:
    play = Play()
    play.router.verdict = lambda _: play.router.target(fields=b"\x00\x0bmm-model-id\x04iris")
    play.client().call(extra=[("mm-model-id", "other"), ("mm-vmodel-id", "alias")])
    headers = play.runtime.calls[0].blocks[0]
    assert headers["mm-model-id"] == "iris"
    assert "mm-vmodel-id" not in headers


def test_a_peer_is_told_what_the_client_said() -> None:
    play = Play()

    def to_peer(_: object) -> Target:
        target = play.router.target(fields=b"\x00\x07mm-hops\x011")
        target.to_peer = True
        return target

    play.router.verdict = to_peer
    play.client().call(extra=[("mm-model-id", "iris"), ("grpc-timeout", "9S")])
    headers = play.runtime.calls[0].blocks[0]
    assert (headers["mm-model-id"], headers["mm-hops"], headers["grpc-timeout"]) == ("iris", "1", "9S")


def test_both_sides_may_speak_as_they_like() -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    play.runtime.open(1)
    assert len(seen.blocks) == 1
    for number in range(3):
        client.data(1, framed(b"%d" % number))
        play.runtime.data(1, framed(b"%d!" % number))
        assert play.runtime.streams[1].data.endswith(framed(b"%d" % number))
        assert seen.data.endswith(framed(b"%d!" % number))
    client.data(1, b"", end=True)
    assert play.runtime.streams[1].ended
    play.runtime.close(1, more=[("x-trailer", "y")])
    assert seen.blocks[-1]["x-trailer"] == "y"
    play.check_rest()


def test_trailers_alone_are_an_answer() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.fail(1, Code.INVALID_ARGUMENT, "no%20way")
    assert seen.status == (Code.INVALID_ARGUMENT, "no%20way")
    assert len(seen.blocks) == 1
    assert play.router.codes == [Code.INVALID_ARGUMENT]
    play.check_rest()


def test_an_early_answer_ends_the_call() -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    client.data(1, framed(b"two"))
    play.runtime.fail(1, Code.PERMISSION_DENIED, "no")
    assert (seen.code, seen.reset) == (Code.PERMISSION_DENIED, ErrorCode.NO_ERROR)
    assert play.runtime.streams[1].reset is ErrorCode.NO_ERROR
    client.data(1, framed(b"three"))
    play.check_rest()


@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_cancels_cancels_it_in_the_runtime(begun: bool) -> None:
    play = Play()
    client = play.client()
    client.call()
    if begun:
        play.runtime.open(1)
        play.runtime.data(1, framed(b"x"))
    client.reset(1)
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    assert play.router.codes == [Code.CANCELLED]
    play.check_rest()


@pytest.mark.parametrize("code", [ErrorCode.INTERNAL_ERROR, ErrorCode.CANCEL, ErrorCode.ENHANCE_YOUR_CALM])
def test_a_runtime_that_resets_a_stream_resets_it_for_the_client(code: ErrorCode) -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.reset(1, code)
    assert seen.reset is code
    assert play.router.codes == [Code.CANCELLED if code is ErrorCode.CANCEL else Code.INTERNAL]
    play.check_rest()


def test_a_reset_that_has_no_name_is_an_internal_error() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.send(b"\0\0\4\3\0\0\0\0\1\xff\xff\xff\xff")
    assert seen.reset is ErrorCode.INTERNAL_ERROR


def test_an_answer_without_a_status_is_an_error() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x"), end=True)
    assert seen.status == (Code.INTERNAL, "the runtime ended its answer without a status")
    assert seen.data == framed(b"x")
    play.check_rest()


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"<html>", Code.INTERNAL), (framed(b"x" * 1001), Code.RESOURCE_EXHAUSTED)],
    ids=["no message", "too large"],
)
@pytest.mark.parametrize("before", [b"", framed(b"fine")], ids=["at the beginning", "behind a message"])
def test_a_response_that_is_no_message_is_refused(data: bytes, code: Code, before: bytes) -> None:
    play = Play(Limits(message_bytes_max=1000))
    seen = play.client().call()
    play.runtime.open(1)
    if before:
        play.runtime.data(1, before)
    play.runtime.data(1, data)
    assert (seen.code, seen.data) == (code, before)
    assert ":status" not in seen.blocks[-1] or len(seen.blocks) == 1
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    if code is Code.RESOURCE_EXHAUSTED:
        assert play.counts.limits_hit == {"message_bytes_max": 1}
    play.check_rest()


# Who is refused.


def test_a_call_that_may_not_be_made_is_refused_at_once() -> None:
    play = Play()
    play.router.plans[RPC] = ModelNotFound("nobody knows it")
    client = play.client()
    assert client.call().status == (Code.NOT_FOUND, "nobody knows it")
    seen = client.begin()
    assert (seen.code, seen.reset) == (Code.NOT_FOUND, ErrorCode.NO_ERROR)
    assert not play.runtimes
    play.check_rest()


def test_a_router_may_refuse_a_call() -> None:
    play = Play()
    play.router.verdict = lambda _: ModelNotFound("é\n%")
    seen = play.client().call()
    assert seen.status == (Code.NOT_FOUND, "%C3%A9%0A%25")
    play.check_rest()


def test_a_refusal_is_not_longer_than_a_header_may_be() -> None:
    play = Play()
    play.router.verdict = lambda _: ModelNotFound("x" * 100_000)
    assert play.client().call().status == (Code.NOT_FOUND, "x" * REFUSAL_CHARS_MAX)


def test_an_id_that_cannot_be_read_is_refused() -> None:
    seen = Play().client().call(extra=[("mm-model-id-bin", "A")])
    assert seen.code is Code.INVALID_ARGUMENT


# Calls that wait.


def test_a_call_that_missed_goes_when_the_router_knows() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    seen = play.client().call()
    assert not play.runtimes
    play.resolve()
    play.runtime.answer(1)
    assert seen.code is Code.OK
    assert play.counts.calls_waiting == 0
    play.check_rest()


def test_a_call_may_be_answered_by_the_router() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    client = play.client()
    one, other = client.call(), client.call()
    play.resolve(Answer(message=b"mine", initial=[("a", "b")], trailing=[("x", "y")]))
    play.resolve(Answer(code=Code.ABORTED, text="not mine"))
    assert (one.data, one.code, one.blocks[-1]["x"]) == (framed(b"mine"), Code.OK, "y")
    assert one.blocks[0]["a"] == "b"
    assert other.status == (Code.ABORTED, "not mine")
    play.check_rest()


def test_a_call_may_turn_out_not_to_be_answerable() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    seen = play.client().call()
    play.router.waiting.pop().unresolved(Code.INTERNAL, "the load failed")
    play.settle()
    assert seen.status == (Code.INTERNAL, "the load failed")
    play.check_rest()


@pytest.mark.parametrize("how", ["reset", "lost", "deadline"])
def test_who_does_not_wait_any_more_gives_up_the_wait(how: str) -> None:
    play = Play()
    play.router.verdict = play.router.miss
    client = play.client()
    client.call(extra=[("grpc-timeout", "1S")])
    (call,) = play.router.waiting
    if how == "reset":
        client.reset(1)
    elif how == "lost":
        play.lose(client)
    else:
        play.pass_s(2)
    assert play.given_up == [call]
    late = play.router.target()
    call.resolved(late)
    assert late not in play.router.pinned
    call.unresolved(Code.INTERNAL, "too late")
    play.check_rest()


def test_a_call_that_waited_says_where_the_time_went() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    seen = play.client().call()
    target = play.router.target()
    target.timings_ms = {"load": 12.5}
    play.resolve(target)
    play.shared.now_s += 0.25
    play.runtime.answer(1)
    assert seen.blocks[-1]["server-timing"] == "load;dur=12.5, infer;dur=250"


# Deadlines.


def test_a_deadline_goes_on_as_it_came() -> None:
    play = Play()
    play.client().call(extra=[("grpc-timeout", "77777m")])
    assert play.runtime.calls[0].blocks[0]["grpc-timeout"] == "77777m"


def test_what_was_waited_is_taken_off_the_deadline() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    play.client().call(extra=[("grpc-timeout", "10S")])
    play.pass_s(4)
    play.resolve()
    assert play.runtime.calls[0].blocks[0]["grpc-timeout"] == "6000000u"


@pytest.mark.parametrize("timeout", ["0S", "rubbish", "123456789S", ""])
def test_a_deadline_that_has_passed_or_is_none_is_exceeded(timeout: str) -> None:
    play = Play()
    assert play.client().call(extra=[("grpc-timeout", timeout)]).code is Code.DEADLINE_EXCEEDED
    assert not play.runtimes
    play.check_rest()


@pytest.mark.parametrize("stage", ["asked", "headers", "data"])
def test_a_runtime_that_does_not_keep_the_deadline_is_reset(stage: str) -> None:
    play = Play()
    seen = play.client().call(extra=[("grpc-timeout", "10S")])
    if stage != "asked":
        play.runtime.open(1)
    if stage == "data":
        play.runtime.data(1, framed(b"x"))
    play.pass_s(9)
    assert not seen.ended
    play.pass_s(2)
    assert seen.code is Code.DEADLINE_EXCEEDED
    assert len(seen.blocks) == (2 if stage == "data" else 1)
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.check_rest()
