"""Models that an instance registers itself when it starts: `MM_AUTO_REGISTER_MODELS` (ModelMesh core 5.3).

Every instance of a mesh has the same list, so the same again is fine. Unknown fields are passed over, as in
ModelMesh.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from adapter.domain.errors import AdapterError, InvalidRequest
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.status import ModelReport, ModelStatus

log = logging.getLogger(__name__)

VARIABLE: Final = "MM_AUTO_REGISTER_MODELS"

USED_AGO_MS: Final = 365 * 24 * 3_600_000
"""Such a model counts as used a year ago, until somebody uses it (reference: ModelMesh core 4.15)."""


class _Info(BaseModel):
    type: str = Field(min_length=1)
    path: str = ""
    key: str = ""


class StaticModel(BaseModel):
    """One entry of the list."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    model_id: str = Field(alias="modelId", min_length=1)
    model_info: _Info = Field(alias="modelInfo")
    vmodel_id: str = Field(default="", alias="vModelId")
    retained: bool = Field(default=False, alias="retainAfterTransition")
    ensure_loaded: bool = Field(default=False, alias="ensureLoaded")

    @model_validator(mode="after")
    def _is_sound(self) -> "StaticModel":
        if self.retained and not self.vmodel_id:
            raise ValueError("retainAfterTransition is for a model with a vModelId")
        return self


_LIST: Final = TypeAdapter(list[StaticModel])


class BadStaticModels(InvalidRequest):
    """The list cannot be read; the text has a line for each complaint."""


def parse_static_models(text: str, *, source: str = VARIABLE) -> Sequence[StaticModel]:
    """The models of a JSON list, which comes from there. Raises `BadStaticModels`."""
    if not text.strip():
        return ()
    try:
        return _LIST.validate_json(text)
    except ValidationError as error:
        raise BadStaticModels("\n".join(f"{source}: {line}" for line in _complaints(error))) from error


def _complaints(error: ValidationError) -> Iterator[str]:
    for complaint in error.errors():
        where = ".".join(map(str, complaint["loc"]))
        yield f"{where}: {complaint['msg']}" if where else str(complaint["msg"])


def read_static_models(text: str, path: Path | None) -> Sequence[StaticModel]:
    """Those of the variable and of the file together. Raises `BadStaticModels`."""
    told = list(parse_static_models(text))
    if path is not None:
        source = f"{VARIABLE}_PATH: {path}"
        try:
            told += parse_static_models(path.read_text(), source=source)
        except (OSError, UnicodeDecodeError) as error:
            raise BadStaticModels(f"{source} cannot be read: {error}") from error
    return told


class RegistersModels(Protocol):
    """Who registers them."""

    async def register(
        self, model: ModelId, info: ModelInfo, *, load_now: bool, sync: bool, last_used_ms: int
    ) -> ModelReport:
        """See `Models.register`."""
        ...


class SetsAliases(Protocol):
    """Who sets their aliases."""

    async def set_static(self, vmodel: str, model: ModelId, info: ModelInfo, *, auto_delete: bool) -> None:
        """Have the alias stand for the model, which is registered if need be."""
        ...


async def register_static_models(
    models: Sequence[StaticModel], registers: RegistersModels, aliases: SetsAliases, *, now_ms: int
) -> None:
    """Register them all; those with `ensureLoaded` are loaded before this returns.

    Raises an `AdapterError` if one cannot be registered, or `InvalidRequest` if one cannot be loaded.
    """
    for each in models:
        model = ModelId(each.model_id)
        info = ModelInfo(type=each.model_info.type, path=each.model_info.path, key=each.model_info.key)
        try:
            if each.vmodel_id:
                await aliases.set_static(each.vmodel_id, model, info, auto_delete=not each.retained)
            report = await registers.register(
                model,
                info,
                load_now=each.ensure_loaded,
                sync=each.ensure_loaded,
                last_used_ms=now_ms - USED_AGO_MS,
            )
        except AdapterError as error:
            raise InvalidRequest(f"{VARIABLE}: {model}: {error}") from error
        if each.ensure_loaded and report.status is not ModelStatus.LOADED:
            raise InvalidRequest(
                f"{VARIABLE}: {model} must be loaded before this instance starts, and is not: "
                f"{'; '.join(report.errors) or report.status.name}"
            )
    if models:
        log.info("static models are registered", extra={"models": len(models)})
