"""The form of `model-serving-config` (reference: serving controller 4): what is not written is not set.

Names are known in either case, and a number in quotes is one, as ModelMesh has it. What is not known is
passed over.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from adapter.controller.manifests.reading import Shape
from adapter.controller.manifests.shapes import Label, Port, Strings, Subdomain, Text
from adapter.controller.quantities import quantity

PODS_MAX = 65_535
MESSAGE_BYTES_MAX = 2**31 - 1
LISTED_MAX = 100
"""Entries of one list."""


class Section(Shape):
    """One object of the file."""

    model_config = ConfigDict(
        strict=False,
        extra="ignore",
        frozen=True,
        alias_generator=to_camel,
        coerce_numbers_to_str=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _in_our_case(cls, value: Any) -> Any:  # noqa: ANN401 - it may be anything, and is looked at
        if not isinstance(value, Mapping):
            return value
        known = {field.alias.lower(): field.alias for field in cls.model_fields.values() if field.alias}
        told: dict[str, object] = {}
        for written, content in value.items():
            name = known.get(str(written).lower())
            if name is None or content is None:
                continue
            if name in told:
                raise ValueError(f"{name} is there twice, in different cases; leave one of them out")
            told[name] = content
        return told

    def given(self, *left_out: str) -> dict[str, Any]:
        """What was written, by the names of the fields here."""
        return {name: getattr(self, name) for name in self.model_fields_set if name not in left_out}


def _quantity(text: str) -> str:
    quantity(text)
    return text


def _without_space(text: str) -> str:
    if " " in text:
        raise ValueError("must not have a space in it; write one URI in each entry")
    return text


Quantities = dict[Text, Annotated[str, AfterValidator(_quantity)]]


class ImageSection(Section):
    """`modelMeshImage` and the like."""

    name: Text = ""
    tag: str = ""
    digest: str = ""
    command: tuple[str, ...] = ()


class ResourcesSection(Section):
    """`modelMeshResources` and the like."""

    requests: Quantities = Field(default_factory=dict)
    limits: Quantities = Field(default_factory=dict)


class TlsSection(Section):
    """`tls`."""

    secret_name: str = ""
    client_auth: Literal["", "require", "optional"] = ""


class MetricsSection(Section):
    """`metrics`."""

    enabled: bool = True
    port: Port = 2112
    scheme: Literal["http", "https"] = "https"
    disable_prometheus_operator_support: bool = False


class ScaleToZeroSection(Section):
    """`scaleToZero`."""

    enabled: bool = True
    grace_period_seconds: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    idle_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class RestSection(Section):
    """`restProxy`."""

    enabled: bool = True
    port: Port = 8008
    skip_verify: bool = False


class NameSection(Section):
    """An entry of `imagePullSecrets`."""

    name: Subdomain


class EnvSection(Section):
    """An entry of `internalModelMeshEnvVars`."""

    name: Annotated[str, Field(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")]
    value: str = ""


class ConfigSection(Section):
    """The whole file."""

    inference_service_name: Label = ""
    inference_service_port: Port = 8033
    storage_secret_name: Subdomain = ""
    pods_per_runtime: int = Field(default=2, ge=0, le=PODS_MAX)
    tls: TlsSection = TlsSection()
    headless_service: bool = True
    enable_access_logging: bool = False
    service_account_name: str = ""
    metrics: MetricsSection = MetricsSection()
    scale_to_zero: ScaleToZeroSection = ScaleToZeroSection()
    grpc_max_message_size_bytes: int = Field(default=16_777_216, ge=1, le=MESSAGE_BYTES_MAX)
    rest_proxy: RestSection = RestSection()
    model_mesh_image: ImageSection = ImageSection()
    model_mesh_resources: ResourcesSection = ResourcesSection()
    storage_helper_image: ImageSection = ImageSection()
    storage_helper_resources: ResourcesSection = ResourcesSection()
    built_in_server_types: tuple[Text, ...] = Field(default=(), max_length=LISTED_MAX)
    payload_processors: tuple[Annotated[Text, AfterValidator(_without_space)], ...] = Field(
        default=(), max_length=LISTED_MAX
    )
    runtime_pod_labels: Strings = Field(default_factory=dict)
    runtime_pod_annotations: Strings = Field(default_factory=dict)
    image_pull_secrets: tuple[NameSection, ...] = Field(default=(), max_length=LISTED_MAX)
    allow_any_claim: bool = Field(default=False, alias="allowAnyPVC")
    internal_model_mesh_env_vars: tuple[EnvSection, ...] = Field(default=(), max_length=LISTED_MAX)
    model_mesh_endpoint: str = ""
    etcd_secret_name: str = ""
