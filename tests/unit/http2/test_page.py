import pytest

from adapter.http2.frames import ErrorCode
from adapter.http2.page import TEXT
from tests.fakes.relay_peers import FakeClient, Seen
from tests.fakes.relay_play import Play


def ask(client: FakeClient, method: str, path: str, *, end: bool = True) -> Seen:
    head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "here")]
    client.send(client.headers_frame(1, head, end=end))
    return client.streams[1]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", "200", TEXT.decode()),
        ("POST", "/", "200", TEXT.decode()),
        ("HEAD", "/", "200", ""),
        ("GET", "/favicon.ico", "404", "There is nothing here but gRPC.\n"),
        ("POST", "/v2/models", "415", "The content-type of gRPC is application/grpc.\n"),
        ("OPTIONS", "*", "404", "There is nothing here but gRPC.\n"),
    ],
)
def test_who_does_not_speak_grpc_is_told_something(method: str, path: str, status: str, text: str) -> None:
    play = Play()
    seen = ask(play.client(), method, path)
    assert seen.blocks[0][":status"] == status
    assert (seen.data.decode(), seen.ended) == (text, True)
    if method != "HEAD":
        assert seen.blocks[0]["content-length"] == str(len(text))
    assert play.counts.calls_begun == 0
    play.check_rest()


def test_the_answer_waits_for_the_end_of_the_request() -> None:
    play = Play()
    client = play.client()
    seen = ask(client, "POST", "/", end=False)
    for _ in range(100):
        client.data(1, b"x" * 10_000)
    assert not seen.blocks
    assert client.credit[1] >= 500_000
    client.data(1, b"", end=True)
    assert seen.ended
    play.check_rest()


def test_the_page_keeps_the_windows() -> None:
    play = Play()
    client = play.client({4: 10})
    seen = ask(client, "GET", "/")
    assert (len(seen.data), seen.ended) == (10, False)
    play.check()
    client.widen(1, 1000)
    assert (seen.data, seen.ended) == (TEXT, True)
    play.check_rest()


def test_a_page_that_nobody_wants_any_more_is_forgotten() -> None:
    play = Play()
    client = play.client({4: 10})
    ask(client, "GET", "/")
    client.reset(1)
    play.check_rest()


def test_a_page_that_is_not_read_is_ended() -> None:
    play = Play()
    client = play.client({4: 10})
    seen = ask(client, "GET", "/")
    play.pass_s(play.shared.limits.stall_s_max + 1)
    assert seen.reset is ErrorCode.CANCEL
    play.check_rest()


def test_a_page_is_lost_with_its_connection() -> None:
    play = Play()
    client = play.client({4: 10})
    ask(client, "GET", "/")
    play.lose(client)
    play.check_rest()
