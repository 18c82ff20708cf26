import gzip

import pytest

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode
from adapter.http2.verdicts import Answer
from adapter.wire.headers import Pair
from tests.fakes.relay_peers import Headers, framed
from tests.fakes.relay_play import Play


@pytest.fixture
def play() -> Play:
    return Play(Limits(message_bytes_max=1000))


def ask(play: Play) -> list[Answer]:
    """Make a call from inside; gives its answer once there is one."""
    answers: list[Answer] = []
    call = play.relay.local_call(
        "pkg.Service/Method",
        b"question",
        metadata=[("mm-model-id", "iris")],
        timeout_s=5,
        answered=answers.append,
    )
    play.local_calls.append(call)
    play.settle()
    return answers


def answer(play: Play, data: bytes, headers: Headers = (), trailers: Headers = ()) -> None:
    runtime = play.runtime
    runtime.send(
        runtime.headers_frame(1, [(":status", "200"), ("content-type", "application/grpc"), *headers])
    )
    if data:
        runtime.data(1, data)
    runtime.close(1, more=trailers)


def test_a_call_from_inside_goes_the_same_way(play: Play) -> None:
    answers = ask(play)
    (asked,) = play.runtime.calls
    assert asked.blocks[0][":path"] == "/pkg.Service/Method"
    assert asked.blocks[0]["grpc-timeout"] == "5000000u"
    assert (asked.data, asked.ended) == (framed(b"question"), True)
    answer(play, framed(b"answer"), [("x", "1"), ("y-bin", "AA")], [("z", "2")])
    assert answers == [
        Answer(message=b"answer", initial=[("x", "1"), ("y-bin", b"\0")], trailing=[("z", "2")])
    ]
    play.check_rest()


def test_an_error_is_an_answer(play: Play) -> None:
    answers = ask(play)
    play.runtime.fail(1, Code.INVALID_ARGUMENT, "no%0Away")
    assert answers == [Answer(code=Code.INVALID_ARGUMENT, text="no\nway", trailing=[])]
    play.check_rest()


def test_metadata_that_are_not_base64_are_left_out(play: Play) -> None:
    answers = ask(play)
    answer(play, framed(b"x"), [("x-bin", "A")], [("y-bin", "A"), ("z", "2")])
    assert answers[0].initial == []
    assert list[Pair](answers[0].trailing) == [("z", "2")]


@pytest.mark.parametrize(
    ("data", "headers", "code"),
    [
        pytest.param(
            framed(gzip.compress(b"x"), compressed=True), [("grpc-encoding", "gzip")], Code.OK, id="gzip"
        ),
        pytest.param(framed(b"x", compressed=True), [("grpc-encoding", "gzip")], Code.INTERNAL, id="no gzip"),
        pytest.param(framed(b"x", compressed=True), [], Code.INTERNAL, id="no encoding"),
        pytest.param(
            framed(gzip.compress(b"x" * 2000), compressed=True),
            [("grpc-encoding", "gzip")],
            Code.RESOURCE_EXHAUSTED,
            id="a bomb",
        ),
        pytest.param(b"", [], Code.INTERNAL, id="no message"),
        pytest.param(framed(b"x")[:3], [], Code.INTERNAL, id="half a prefix"),
        pytest.param(framed(b"xyz")[:6], [], Code.INTERNAL, id="half a message"),
        pytest.param(framed(b"x") * 2, [], Code.INTERNAL, id="two messages"),
        pytest.param(framed(b"x" * 900) * 2, [], Code.RESOURCE_EXHAUSTED, id="more than a message may be"),
    ],
)
def test_an_answer_is_one_message(play: Play, data: bytes, headers: Headers, code: Code) -> None:
    answers = ask(play)
    answer(play, data, headers)
    assert [each.code for each in answers] == [code]
    assert (answers[0].message == b"x") is (code is Code.OK)
    assert not play.runtime.goaways
    play.check_rest()


def test_too_much_with_its_end_is_answered_once(play: Play) -> None:
    answers = ask(play)
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 900) * 2, end=True)
    assert [each.code for each in answers] == [Code.RESOURCE_EXHAUSTED]
    play.check_rest()


@pytest.mark.parametrize(
    ("reset", "code"),
    [
        (ErrorCode.CANCEL, Code.CANCELLED),
        (ErrorCode.INTERNAL_ERROR, Code.INTERNAL),
        (ErrorCode.ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED),
    ],
)
def test_a_reset_is_an_answer(play: Play, reset: ErrorCode, code: Code) -> None:
    answers = ask(play)
    play.runtime.reset(1, reset)
    assert [(each.code, each.text) for each in answers] == [(code, f"the call was ended with {reset.name}")]
    play.check_rest()


def test_a_call_from_inside_is_sent_again_too(play: Play) -> None:
    answers = ask(play)
    play.lose(play.runtime)
    answer(play, framed(b"answer"))
    assert [each.message for each in answers] == [b"answer"]
    play.check_rest()


def test_who_gives_up_gets_no_answer(play: Play) -> None:
    answers = ask(play)
    play.local_calls[0].request_reset()
    play.settle()
    assert answers == []
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.check_rest()
