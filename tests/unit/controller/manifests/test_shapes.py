import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.reading import Shape, fitted
from adapter.controller.manifests.shapes import Label, Subdomain, is_label, is_subdomain


class _Names(Shape):
    label: Label = "a"
    subdomain: Subdomain = "a"


@pytest.mark.parametrize(
    ("name", "label", "subdomain"),
    [
        pytest.param("mlserver", True, True, id="a word"),
        pytest.param("mlserver-1.x", False, True, id="with a dot"),
        pytest.param("a" * 64, False, True, id="long"),
        pytest.param("a" * 254, False, False, id="very long"),
        pytest.param("Server", False, False, id="a capital"),
        pytest.param("-a", False, False, id="a dash first"),
        pytest.param("a.", False, False, id="a dot last"),
        pytest.param("a\n", False, False, id="a line end"),
        pytest.param("", False, False, id="nothing"),
    ],
)
def test_names_are_those_that_the_api_server_takes(name: str, label: bool, subdomain: bool) -> None:
    assert (is_label(name), is_subdomain(name)) == (label, subdomain)


def test_another_name_is_told_what_it_may_be() -> None:
    complaints: list[Complaint] = []
    fitted(_Names, {"label": "a.b", "subdomain": "a_b"}, at="", complaints=complaints)
    assert [each.field for each in complaints] == ["label", "subdomain"]
    assert all(each.text.startswith("must be 1 to ") for each in complaints)
