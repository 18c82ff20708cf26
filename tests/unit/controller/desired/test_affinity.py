from typing import Any

import pytest

from adapter.controller.desired.affinity import ARCHITECTURE_KEY, REQUIRED, with_architectures

ZONE = {"key": "zone", "operator": "In", "values": ["a"]}
ARM = {"key": ARCHITECTURE_KEY, "operator": "In", "values": ["arm64"]}


def terms_of(affinity: Any) -> list[Any]:
    terms: list[Any] = with_architectures(affinity)["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    return terms


def required(*terms: Any) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


@pytest.mark.parametrize(
    "affinity", [{}, {"nodeAffinity": None}, required()], ids=["none", "null", "without a term"]
)
def test_a_machine_has_an_architecture_that_the_images_are_for(affinity: Any) -> None:
    (term,) = terms_of(affinity)
    assert term["matchExpressions"][0]["values"] == ["amd64", "arm64", "s390x"]


def test_the_demand_is_made_within_each_term() -> None:
    terms = terms_of(required({"matchExpressions": [ZONE]}, {"matchFields": [{"key": "metadata.name"}]}))
    assert [[each["key"] for each in term["matchExpressions"]] for term in terms] == [
        ["zone", ARCHITECTURE_KEY],
        [ARCHITECTURE_KEY],
    ]


@pytest.mark.parametrize(
    "term", [{}, {"matchExpressions": [ARM]}], ids=["that nothing satisfies", "of its own"]
)
def test_a_term_is_left_as_it_is(term: Any) -> None:
    assert terms_of(required(term)) == [term]


def test_the_rest_of_the_affinity_stays() -> None:
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}
    affinity = with_architectures({"podAntiAffinity": preferred, "nodeAffinity": preferred})
    assert affinity["podAntiAffinity"] == preferred
    assert affinity["nodeAffinity"].items() >= preferred.items()
