from adapter.domain.errors import CacheBusy, Code
from adapter.http2.verdicts import ANYONE, Answer, PeerRefusal, Plan, Refusal, Target, refusal_of
from tests.fakes.relay_play import Play


def test_a_call_goes_as_it_came_unless_more_is_said() -> None:
    target = Target(Play().upstream)
    assert (target.model, target.vmodel, target.fields) == ("", "", b"")
    assert (target.message, target.edit, target.to_peer, target.timings_ms) == (None, None, False, None)


def test_nothing_is_awaited_and_nobody_is_known_unless_more_is_said() -> None:
    assert not Plan().message_first
    assert Plan().door is None
    assert (ANYONE.names, ANYONE.from_management, ANYONE.from_peer) == (None, False, False)
    assert Answer().code is Code.OK


def test_a_refusal_is_that_of_its_error() -> None:
    error = CacheBusy("no room")
    assert refusal_of(error) == Refusal(Code.RESOURCE_EXHAUSTED, "no room", "")
    assert refusal_of(PeerRefusal("full", error)) == Refusal(Code.RESOURCE_EXHAUSTED, "no room", "full")
