from pathlib import Path
from typing import Any

from tests.kubelet.network import Network
from tests.kubelet.services import API_SERVER, SERVICE_OF, Services


def services(spec: dict[str, Any], *endpoints: dict[str, Any]) -> Services:
    """With one Service, `ns/web`, and its endpoints."""
    made = Services(Network(slot=0, folder=Path("nowhere")), ("127.0.0.1", 6443))
    made.followed.objects[("ns", "web")] = {"spec": spec}
    labels = {SERVICE_OF: "web"}
    ports = [{"name": "http", "port": 8080}]
    made.slices.objects[("ns", "web-1")] = {
        "metadata": {"labels": labels},
        "endpoints": list(endpoints),
        "ports": ports,
    }
    return made


def endpoint(address: str, *, ready: bool = True, **more: str) -> dict[str, Any]:
    return {"addresses": [address], "conditions": {"ready": ready}, **more}


PORTS = [{"name": "http", "port": 80, "targetPort": "http"}]
OWN = {"clusterIP": "10.0.0.5", "ports": PORTS}


def test_an_address_leads_to_the_endpoints_that_are_ready() -> None:
    some = services(OWN, endpoint("10.244.0.3"), endpoint("10.244.0.4", ready=False), endpoint("10.244.0.2"))
    assert dict(some._wanted()) == {("10.0.0.5", 80): [("10.244.0.2", 8080), ("10.244.0.3", 8080)]}


def test_the_api_server_is_reached_where_it_is() -> None:
    some = services({"clusterIP": "None"})
    some.followed.objects[API_SERVER] = {"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 443}]}}
    assert dict(some._wanted()) == {("10.0.0.1", 443): [("127.0.0.1", 6443)]}
    assert some.variables()["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"


def test_names_are_short_within_a_namespace_only() -> None:
    some = services(OWN)
    assert some.hosts("ns") == "10.0.0.5\tweb web.ns web.ns.svc web.ns.svc.cluster.local\n"
    assert some.hosts("other") == "10.0.0.5\tweb.ns web.ns.svc web.ns.svc.cluster.local\n"


def test_the_name_of_a_headless_one_is_all_of_its_endpoints() -> None:
    headless = {"clusterIP": "None", "ports": PORTS}
    some = services(headless, endpoint("10.244.0.2", hostname="web-0"), endpoint("10.244.0.3"))
    first, second = some.hosts("other").splitlines()
    assert first.startswith("10.244.0.2\tweb.ns ")
    assert first.endswith(" web-0.web.ns.svc.cluster.local")
    assert second == "10.244.0.3\tweb.ns web.ns.svc web.ns.svc.cluster.local"
    assert dict(some._wanted()) == {}
