from dataclasses import replace

from adapter.controller.selection.scopes import visible
from tests.unit.controller.selection.words import CLUSTER, a_runtime, names, seen

OWN = a_runtime("triton", flags="multiModel")
CLUSTERS = a_runtime("triton", namespace=CLUSTER, flags="multiModel")
OVMS = a_runtime("ovms", namespace=CLUSTER, flags="multiModel")


def test_runtimes_of_other_namespaces_are_not_seen() -> None:
    found = seen(OWN, a_runtime("other", namespace="elsewhere"), OVMS)
    assert (names(found.own), names(found.cluster)) == (["triton"], ["ovms"])


def test_a_runtime_that_is_being_deleted_is_not_seen() -> None:
    leaving = replace(OVMS, identity=replace(OVMS.identity, deleted=True))
    assert seen(leaving).all == ()


def test_one_of_the_namespace_replaces_the_clusters_of_its_name() -> None:
    assert seen(CLUSTERS, OVMS, OWN).multi_model() == (OVMS, OWN)
    assert visible([CLUSTERS, OVMS, OWN], "elsewhere").multi_model() == (OVMS, CLUSTERS)


def test_a_disabled_one_of_the_namespace_hides_the_clusters() -> None:
    disabled = replace(OWN, disabled=True)
    assert seen(CLUSTERS, disabled).multi_model() == (disabled,)
    assert seen(CLUSTERS, disabled).named("triton") is disabled


def test_one_that_serves_single_models_hides_nothing_from_modelmesh() -> None:
    single = replace(OWN, multi_model=False)
    assert seen(CLUSTERS, single).multi_model() == (CLUSTERS,)
    assert seen(CLUSTERS, single).named("triton") is single


def test_a_name_that_nobody_has_is_not_found() -> None:
    assert seen(OWN, OVMS).named("mlserver") is None
