import pytest
from pydantic import ValidationError

from adapter.controller.config_shapes import ConfigSection, MetricsSection


def test_only_what_is_written_is_given() -> None:
    section = MetricsSection.model_validate({"port": 2113, "scheme": None})
    assert section.given() == {"port": 2113}
    assert section.given("port") == {}


@pytest.mark.parametrize("name", ["allowAnyPVC", "allowanypvc", "ALLOWANYPVC"])
def test_names_are_known_in_either_case(name: str) -> None:
    assert ConfigSection.model_validate({name: True}).allow_any_claim


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="podsPerRuntime is there twice"):
        ConfigSection.model_validate({"podsPerRuntime": 1, "podsperruntime": 2})


def test_what_is_not_known_is_passed_over() -> None:
    assert ConfigSection.model_validate({"podsPerPlanet": 1, 7: 8}).given() == {}
