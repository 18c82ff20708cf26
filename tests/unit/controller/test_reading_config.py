from dataclasses import replace
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.config import (
    ControllerConfig,
    Image,
    MetricsConfig,
    RestConfig,
    ScaleToZero,
    TlsConfig,
)
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.reading_config import config_in, next_config, read_config

DEFAULT: Final = ControllerConfig()


def config_map(content: str) -> dict[str, Any]:
    return {"metadata": {"name": "model-serving-config"}, "data": {"config.yaml": content}}


def complaints(content: str, **others: Any) -> dict[str, str]:
    with pytest.raises(BadManifest) as refused:
        read_config(content, **others)
    return {each.field: each.text for each in refused.value.complaints}


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("inferenceServiceName: mesh", {"service_name": "mesh"}, id="inferenceServiceName"),
        pytest.param("inferenceServicePort: 9000", {"service_port": 9000}, id="inferenceServicePort"),
        pytest.param("storageSecretName: keys", {"storage_secret_name": "keys"}, id="storageSecretName"),
        pytest.param("podsPerRuntime: 3", {"pods_per_runtime": 3}, id="podsPerRuntime"),
        pytest.param("PODSPERRUNTIME: '3'", {"pods_per_runtime": 3}, id="any case, in quotes"),
        pytest.param(
            "tls: {secretName: s, clientAuth: require}",
            {"tls": TlsConfig(secret_name="s", client_auth="require")},
            id="tls",
        ),
        pytest.param("headlessService: false", {"headless_service": False}, id="headlessService"),
        pytest.param("enableAccessLogging: true", {"access_logging": True}, id="enableAccessLogging"),
        pytest.param("serviceAccountName: sa", {"service_account": "sa"}, id="serviceAccountName"),
        pytest.param(
            "metrics: {enabled: false, port: 2113, scheme: http, disablePrometheusOperatorSupport: true}",
            {
                "metrics": MetricsConfig(
                    enabled=False, port=2113, scheme="http", disable_prometheus_operator_support=True
                )
            },
            id="metrics",
        ),
        pytest.param("metrics: {port: 2113}", {"metrics": MetricsConfig(port=2113)}, id="metrics in part"),
        pytest.param(
            "scaleToZero: {enabled: false, gracePeriodSeconds: 5, idleSeconds: 600}",
            {"scale_to_zero": ScaleToZero(enabled=False, grace_s=5.0, idle_s=600.0)},
            id="scaleToZero",
        ),
        pytest.param("grpcMaxMessageSizeBytes: 1048576", {"message_bytes_max": 1 << 20}, id="grpcMax..."),
        pytest.param(
            "restProxy: {enabled: false, port: 8009, skipVerify: true, image: {name: x}, resources: {}}",
            {"rest": RestConfig(enabled=False, port=8009, skip_verify=True)},
            id="restProxy",
        ),
        pytest.param(
            "modelMeshImage: {name: remesh, tag: v2}", {"image": Image(name="remesh", tag="v2")}, id="image"
        ),
        pytest.param(
            "modelMeshResources: {requests: {CPU: 1, nvidia.com/gpu: 1}}",
            {
                "resources": {
                    "requests": {"cpu": "1", "memory": "448Mi", "nvidia.com/gpu": "1"},
                    "limits": {"cpu": "3", "memory": "448Mi"},
                }
            },
            id="modelMeshResources",
        ),
        pytest.param(
            "storageHelperImage: {command: [/bin/x]}",
            {"helper_image": replace(DEFAULT.helper_image, command=("/bin/x",))},
            id="storageHelperImage",
        ),
        pytest.param(
            "storageHelperResources: {limits: {memory: 1Gi}}",
            {
                "helper_resources": {
                    "requests": {"cpu": "50m", "memory": "96Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                }
            },
            id="storageHelperResources",
        ),
        pytest.param(
            "builtInServerTypes: [triton, mlserver]",
            {"built_in_server_types": ("triton", "mlserver", "python")},
            id="builtInServerTypes, and ours",
        ),
        pytest.param(
            "payloadProcessors: ['http://log:8080', 'logger://*']",
            {"payload_processors": ("http://log:8080", "logger://*")},
            id="payloadProcessors",
        ),
        pytest.param("runtimePodLabels: {Team: 7}", {"pod_labels": {"Team": "7"}}, id="runtimePodLabels"),
        pytest.param("runtimePodAnnotations: {a/B: c}", {"pod_annotations": {"a/B": "c"}}, id="annotations"),
        pytest.param(
            "imagePullSecrets: [{name: regcred}]",
            {"image_pull_secrets": ({"name": "regcred"},)},
            id="imagePullSecrets",
        ),
        pytest.param("allowAnyPVC: true", {"allow_any_claim": True}, id="allowAnyPVC"),
        pytest.param(
            "internalModelMeshEnvVars: [{name: BOOTSTRAP_CLEARANCE_PERIOD_MS, value: 0}, {name: X}]",
            {"instance_env": {"BOOTSTRAP_CLEARANCE_PERIOD_MS": "0", "X": ""}},
            id="internalModelMeshEnvVars",
        ),
        pytest.param("modelMeshEndpoint: 'host:8033'", {"endpoint": "host:8033"}, id="modelMeshEndpoint"),
        pytest.param("etcdSecretName: other", {"etcd_secret_name": "other"}, id="etcdSecretName"),
    ],
)
def test_a_key_takes_effect(content: str, changes: dict[str, Any]) -> None:
    assert read_config(content) == replace(DEFAULT, **changes)


def test_what_is_not_written_is_as_other_defaults_have_it() -> None:
    defaults = read_config("metrics: {port: 3000}\nrunTimePodLabels: {a: b}")
    config = read_config("metrics: {scheme: http}\nruntimePodLabels: {c: d}", defaults=defaults)
    assert config.metrics == MetricsConfig(port=3000, scheme="http")
    assert config.pod_labels == {"a": "b", "c": "d"}


@pytest.mark.parametrize(
    ("written", "image"),
    [
        pytest.param("{tag: v1}", "r/remesh@sha256:1", id="the default's tag: the digest stays"),
        pytest.param("{tag: v2}", "r/remesh:v2", id="another tag: the digest gives way (D21)"),
        pytest.param("{tag: v2, digest: 'sha256:2'}", "r/remesh@sha256:2", id="a digest wins over a tag"),
        pytest.param("{name: mirror/remesh}", "mirror/remesh@sha256:1", id="another name: the same digest"),
        pytest.param("{digest: ''}", "r/remesh:v1", id="no digest, said so"),
    ],
)
def test_a_digest_wins_over_a_tag_unless_it_is_the_default_s(written: str, image: str) -> None:
    defaults = replace(DEFAULT, image=Image(name="r/remesh", tag="v1", digest="sha256:1"))
    assert str(read_config(f"modelMeshImage: {written}", defaults=defaults).image) == image


@pytest.mark.parametrize(
    ("content", "field", "text"),
    [
        pytest.param("[]", "data[config.yaml]", "must be an object, not a list", id="no object"),
        pytest.param("a: b: c", "data[config.yaml]", "is not YAML: mapping values", id="no YAML"),
        pytest.param("a: 2000-99-99", "data[config.yaml]", "is not YAML that can be used", id="no date"),
        pytest.param("[" * 5000, "data[config.yaml]", "is not YAML", id="lists without end"),
        pytest.param("podsPerRuntime: many", ".podsPerRuntime", "valid integer", id="no number"),
        pytest.param("podsPerRuntime: -1", ".podsPerRuntime", "must be at least 0", id="too few"),
        pytest.param("inferenceServicePort: 70000", ".inferenceServicePort", "at most 65535", id="no port"),
        pytest.param("inferenceServiceName: A_b", ".inferenceServiceName", "lower-case", id="no name"),
        pytest.param(
            "tls: {clientAuth: maybe}", ".tls.clientAuth", "'require' or 'optional'", id="no such way"
        ),
        pytest.param("metrics: {scheme: ftp}", ".metrics.scheme", "'http' or 'https'", id="no such scheme"),
        pytest.param("payloadProcessors: ['a b']", ".payloadProcessors[0]", "space", id="two URIs in one"),
        pytest.param(
            "modelMeshResources: {limits: {cpu: lots}}",
            ".modelMeshResources.limits.cpu",
            "must be a quantity such as 500m",
            id="no quantity",
        ),
        pytest.param(
            "modelMeshResources: {requests: {memory: 1Gi}}",
            ".modelMeshResources.requests.memory",
            "is 1Gi, more than limits.memory, which is 448Mi",
            id="more than the limit",
        ),
        pytest.param(
            "metrics: {port: 8033}", ".metrics.port", "the port of inferenceServicePort", id="a port twice"
        ),
        pytest.param(
            "internalModelMeshEnvVars: [{name: 'A=B'}]",
            ".internalModelMeshEnvVars[0].name",
            "pattern",
            id="no variable",
        ),
        pytest.param(
            "scaleToZero: {gracePeriodSeconds: .inf}", ".gracePeriodSeconds", "finite", id="for ever"
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key(content: str, field: str, text: str) -> None:
    ((found, told),) = complaints(content).items()
    assert found.endswith(field)
    assert text in told


def test_every_complaint_is_told_at_once() -> None:
    content = "podsPerRuntime: x\nmetrics: {port: 0}\nimagePullSecrets: [{}]"
    assert len(complaints(content)) == 3


@pytest.mark.parametrize("data", [None, {}, {"other": "x"}, {"config.yaml": None}], ids=str)
def test_a_config_map_without_its_entry_is_refused(data: object) -> None:
    with pytest.raises(BadManifest, match=r"config\.yaml"):
        config_in({"data": data})


def test_without_a_config_map_the_defaults_hold() -> None:
    defaults = replace(DEFAULT, pods_per_runtime=7)
    assert config_in(None, defaults=defaults) is defaults


def test_the_old_configuration_stays_until_the_new_one_can_be_read() -> None:
    old = replace(DEFAULT, pods_per_runtime=5)
    config, error = next_config(old, config_map("podsPerRuntime: x"))
    assert config is old
    assert error is not None
    assert next_config(old, config_map("podsPerRuntime: 1")) == (replace(DEFAULT, pods_per_runtime=1), None)
    assert next_config(old, None) == (DEFAULT, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["tls", "metrics", "port", "podsPerRuntime", "modelMeshImage", "restProxy", "limits"]
                )
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_written_is_a_configuration_or_complaints(document: object) -> None:
    try:
        assert isinstance(read_config(yaml.safe_dump(document)), ControllerConfig)
    except BadManifest as error:
        assert error.complaints  # noqa: PT017 - it may as well not be raised


@given(st.text(max_size=60))
def test_whatever_text_stands_there_is_a_configuration_or_complaints(content: str) -> None:
    config, error = next_config(DEFAULT, config_map(content))
    assert config == DEFAULT or error is None
