from adapter.controller.config import ControllerConfig, RestConfig, TlsConfig
from adapter.controller.statuses.served import served_at
from adapter.controller.verdicts import Served


def test_all_models_of_a_namespace_are_served_at_its_service() -> None:
    assert served_at(ControllerConfig(), "ns") == Served(
        grpc_url="grpc://modelmesh-serving.ns:8033", rest_url="http://modelmesh-serving.ns:8008"
    )


def test_rest_is_https_with_tls_and_may_be_off() -> None:
    secret = TlsConfig(secret_name="tls")
    assert served_at(ControllerConfig(tls=secret), "ns").rest_url == "https://modelmesh-serving.ns:8008"
    assert served_at(ControllerConfig(rest=RestConfig(enabled=False)), "ns").rest_url == ""
