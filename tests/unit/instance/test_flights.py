import asyncio

import pytest

from adapter.domain.errors import CacheBusy, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance import flights
from adapter.instance.flights import Flight, LoadTimings


def a_flight() -> Flight:
    return Flight(model=ModelId("iris"), info=ModelInfo(type="sklearn"))


def test_what_a_caller_waited_beyond_pull_and_load_is_queueing() -> None:
    spent = LoadTimings(pull_s=0.5, load_s=0.25).as_ms(waited_s=1.0)
    assert spent == pytest.approx({"queue": 250.0, "pull": 500.0, "load": 250.0})


async def test_all_who_wait_land_and_see_the_same_times() -> None:
    flight = a_flight()
    landings = [flight.join() for _ in range(3)]
    flight.timings.pull_s = 2.0
    flight.land()
    assert [(await landing).pull_s for landing in landings] == [2.0] * 3


async def test_each_who_waits_gets_an_error_of_its_own() -> None:
    flight = a_flight()
    landings = [flight.join() for _ in range(3)]
    flight.fail(ObjectMissing("nothing there"))
    errors = await asyncio.gather(*landings, return_exceptions=True)
    assert [str(error) for error in errors] == ["nothing there"] * 3
    assert len({id(error) for error in errors}) == 3


async def test_who_has_left_is_left_alone() -> None:
    flight = a_flight()
    hasty, patient = flight.join(), flight.join()
    hasty.cancel()
    flight.land()
    assert await patient
    assert hasty.cancelled()


async def test_a_flight_is_wanted_while_somebody_waits_or_it_is_background_work() -> None:
    flight = a_flight()
    assert not flight.is_wanted
    landing = flight.join()
    assert (flight.passengers, flight.is_wanted) == (1, True)
    flight.leave(landing)
    assert (flight.passengers, flight.is_wanted) == (0, False)
    flight.background = True
    assert flight.is_wanted


async def test_who_has_left_takes_no_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "WAITING_MAX", 1)
    flight = a_flight()
    for _ in range(3):
        flight.leave(flight.join())


async def test_only_so_many_wait_for_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "WAITING_MAX", 2)
    flight = a_flight()
    flight.join()
    flight.join()
    with pytest.raises(CacheBusy, match="2 calls wait for iris"):
        flight.join()
