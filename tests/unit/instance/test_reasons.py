import pytest

from adapter.domain.ids import ModelId
from adapter.instance import reasons
from adapter.instance.reasons import Reasons

IRIS = ModelId("iris")


def test_of_what_nobody_noted_there_is_nothing_to_say() -> None:
    assert Reasons().of(IRIS) == ""


def test_the_latest_reason_counts_until_the_model_is_forgotten() -> None:
    noted = Reasons()
    noted.note(IRIS, "a request came for it")
    noted.note(IRIS, "a second copy")
    assert noted.of(IRIS) == "a second copy"
    noted.forget(IRIS)
    noted.forget(IRIS)
    assert noted.of(IRIS) == ""


def test_what_was_noted_first_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasons, "REMEMBERED_MAX", 2)
    noted = Reasons()
    for name in ("a", "b", "a", "c"):
        noted.note(ModelId(name), f"because of {name}")
    assert [noted.of(ModelId(name)) for name in "abc"] == ["because of a", "", "because of c"]
