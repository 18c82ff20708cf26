"""Runtimes and models of the tests of selection, and KServe's fixture "F" (reference: KServe 1.9)."""

from typing import Final

from adapter.controller.selection.scopes import Visible, visible
from adapter.domain.specs import Identity, ModelFormat, ModelSpec, RuntimeSpec, Source, SupportedFormat

NAMESPACE: Final = "serving"
CLUSTER: Final = ""


def auto(name: str, version: str | None = None, priority: int | None = None) -> SupportedFormat:
    """A format that a runtime may be chosen for without being named."""
    return SupportedFormat(name=name, version=version, auto_select=True, priority=priority)


def by_name(name: str, version: str | None = None, priority: int | None = None) -> SupportedFormat:
    """A format for which it must be named."""
    return SupportedFormat(name=name, version=version, priority=priority)


def a_runtime(
    name: str,
    *formats: SupportedFormat,
    protocols: str = "",
    namespace: str = NAMESPACE,
    created: str = "2026-01-01T00:00:00Z",
    flags: str = "",
) -> RuntimeSpec:
    """Protocols and flags (`multiModel`, `disabled`, `workerSpec`) are words of one text."""
    return RuntimeSpec(
        identity=Identity(name=name, namespace=namespace, created=created),
        formats=formats,
        protocols=tuple(protocols.split()),
        multi_model="multiModel" in flags,
        disabled="disabled" in flags,
        multi_node="workerSpec" in flags,
    )


def a_model(
    name: str,
    version: str | None = None,
    *,
    protocol: str | None = None,
    runtime: str | None = None,
    multi_node: bool = False,
) -> ModelSpec:
    """A model of this format."""
    return ModelSpec(
        identity=Identity(name="a-model", namespace=NAMESPACE),
        source=Source.INFERENCE_SERVICE,
        format=ModelFormat(name=name, version=version),
        protocol=protocol,
        runtime=runtime,
        multi_node=multi_node,
    )


FIXTURE: Final = (
    a_runtime("tf-runtime", auto("tensorflow", "1", 1), protocols="v1 v2"),
    a_runtime("sklearn-runtime", auto("sklearn", "0", 1), protocols="v1 v2"),
    a_runtime("pmml-runtime", by_name("pmml", "4", 1), protocols="v1 v2", flags="disabled"),
    a_runtime("mlserver-runtime", auto("sklearn", "0", 2), auto("lightgbm", "3", 2), protocols="v2"),
    a_runtime(
        "triton-runtime",
        auto("sklearn", "0"),
        auto("triton", "1", 1),
        auto("lightgbm", "3"),
        protocols="v2",
    ),
    a_runtime("test-runtime", auto("sklearn", "0"), protocols="v2"),
    a_runtime(
        "huggingface-multinode-runtime",
        auto("huggingface", "1", 2),
        protocols="v1 v2",
        flags="workerSpec",
    ),
    a_runtime(
        "cluster-mlserver-runtime-mms",
        auto("sklearn", "0", 2),
        auto("xgboost", "1", 2),
        auto("lightgbm", "3", 2),
        protocols="v2",
        namespace=CLUSTER,
        flags="multiModel",
    ),
    a_runtime("cluster-tf-runtime", auto("tensorflow", "1", 1), protocols="v1 v2", namespace=CLUSTER),
    a_runtime("cluster-xgboost-runtime", auto("xgboost", "0", 1), protocols="v2", namespace=CLUSTER),
)


def seen(*runtimes: RuntimeSpec) -> Visible:
    """As models of the namespace see them."""
    return visible(runtimes, NAMESPACE)


def names(runtimes: tuple[RuntimeSpec, ...]) -> list[str]:
    return [runtime.name for runtime in runtimes]
