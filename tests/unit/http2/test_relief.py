from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from adapter.http2.verdicts import Answer, Plan
from tests.fakes.relay_peers import RPC, framed
from tests.fakes.relay_play import Play

WINDOW = int(Setting.INITIAL_WINDOW_SIZE)
ROOM = 1000


def play_with_room(*, message_first: bool = False) -> Play:
    play = Play(Limits(buffered_bytes_max=ROOM))
    play.router.plans[RPC] = Plan(message_first=message_first)
    return play


def test_as_long_as_there_is_room_everybody_is_kept() -> None:
    play = play_with_room(message_first=True)
    client = play.client()
    client.begin()
    client.data(1, framed(b"x" * 2000)[:ROOM])
    assert play.counts.buffered_bytes == ROOM
    assert not play.counts.limits_hit
    play.check()


def test_the_greatest_of_unfinished_messages_is_refused() -> None:
    play = play_with_room(message_first=True)
    modest, greedy = play.client(), play.client()
    small, great = modest.begin(), greedy.begin()
    greedy.data(1, framed(b"x" * 2000)[:700])
    modest.data(1, framed(b"x" * 2000)[:400])
    assert great.code is Code.RESOURCE_EXHAUSTED
    assert small.code is None
    assert play.counts.limits_hit == {"buffered_bytes_max": 1}
    play.check()


def test_of_one_client_only_as_much_as_must_be_is_refused() -> None:
    play = play_with_room(message_first=True)
    client = play.client()
    seen = [client.begin() for _ in range(4)]
    for stream, size in ((1, 300), (3, 200), (5, 400), (7, 200)):
        client.data(stream, framed(b"x" * 2000)[:size])
    assert [each.code for each in seen] == [None, None, Code.RESOURCE_EXHAUSTED, None]
    play.check()


def test_an_answer_that_is_not_read_is_ended() -> None:
    play = play_with_room()
    reader, sleeper = play.client(), play.client({WINDOW: 0})
    unread, read = sleeper.call(), reader.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 2000))
    assert unread.reset is ErrorCode.ENHANCE_YOUR_CALM
    play.runtime.answer(3)
    assert read.code is Code.OK
    play.check_rest()


def test_what_is_only_kept_to_be_sent_again_is_let_go() -> None:
    play = play_with_room()
    client = play.client()
    client.call(b"x" * 500)
    seen = client.call(b"x" * 600)
    assert play.counts.buffered_bytes <= ROOM
    assert not play.counts.limits_hit
    for each in (1, 3):
        play.runtime.answer(each)
    assert seen.code is Code.OK
    play.check_rest()


def test_calls_from_inside_are_refused_while_there_is_no_room() -> None:
    play = play_with_room()
    play.shared.counts.buffered_bytes += 2 * ROOM  # of nobody who could be refused
    answers: list[Answer] = []
    call = play.relay.local_call(RPC, b"x", metadata=(), timeout_s=None, answered=answers.append)
    assert call.done
    assert [each.code for each in answers] == [Code.RESOURCE_EXHAUSTED]
