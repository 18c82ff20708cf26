from typing import Any

import pytest

from tests.kubelet.security import NAMES, ROOT_NOT_ALLOWED, USUAL, capabilities, rights

NET_BIND = NAMES.index("NET_BIND_SERVICE")


def of(pod: dict[str, Any], own: dict[str, Any], user: int = 0) -> Any:
    return rights({"spec": {"securityContext": pod}}, {"securityContext": own}, image_user=user)


@pytest.mark.parametrize(
    ("context", "kept"),
    [
        pytest.param({}, len(USUAL), id="the usual ones"),
        pytest.param({"capabilities": {"drop": ["ALL"]}}, 0, id="none"),
        pytest.param({"capabilities": {"drop": ["CAP_KILL"]}}, len(USUAL) - 1, id="all but one"),
        pytest.param({"privileged": True}, len(NAMES), id="all"),
    ],
)
def test_capabilities_that_are_kept(context: dict[str, Any], kept: int) -> None:
    assert len(capabilities(context)) == kept


def test_one_may_be_given_back() -> None:
    assert capabilities({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}) == (NET_BIND,)
    assert NET_BIND == 10  # capabilities(7)


def test_a_container_goes_before_its_pod_and_that_before_the_image() -> None:
    assert of({}, {}, user=7).user == 7
    assert of({"runAsUser": 8}, {}, user=7).user == 8
    assert of({"runAsUser": 8}, {"runAsUser": 9}, user=7).user == 9


def test_root_is_refused_where_it_may_not_be() -> None:
    with pytest.raises(ValueError, match=ROOT_NOT_ALLOWED):
        of({"runAsNonRoot": True}, {})
    assert of({"runAsNonRoot": True}, {}, user=1000).user == 1000


def test_the_groups_of_a_pod_are_its_containers() -> None:
    assert of({"fsGroup": 5, "supplementalGroups": [6]}, {"runAsGroup": 4}).groups == (6, 5)
