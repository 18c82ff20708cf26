"""The formats by name: implementations in settings, well-known file names, first bytes.

The names of files and implementations are MLServer's where it has them (reference: components 4, runtime
adapter 5.2); `python_runtime.<flavour>` is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from runtimes.python_runtime.errors import Unsupported
from runtimes.python_runtime.flavours.model import Model, ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """One format."""

    name: str
    platform: str
    """As the protocol's metadata names it: `<project>_<format>`."""
    files: tuple[str, ...]
    """The names that say by themselves what is in the file."""
    suffixes: tuple[str, ...]
    """Further endings that do."""
    implementation: str = ""
    """MLServer's name."""
    contents: tuple[str, ...] = ()
    """Which contents, as `content_of` names them, it can load."""
    native: bool = False
    """The library holds the model outside of Python's objects."""

    def load(self, source: ModelSource) -> Model:
        """Raises `RuntimeFault`s, and what the library raises for a file that it cannot read."""
        self.import_library()
        return cast("Model", import_module(self._module).load(source))

    def import_library(self) -> None:
        """Raises `Unsupported`, saying what to install."""
        try:
            import_module(self._module)
        except ModuleNotFoundError as error:
            raise Unsupported(
                f"{self.name} models need the module {error.name}, which is not installed here: "
                f"pip install 'remesh[{self.name}]'"
            ) from error

    @property
    def _module(self) -> str:
        return f"{__package__}.{self.name}"


FLAVOURS: Mapping[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour(
            name="sklearn",
            platform="sklearn_joblib",
            files=("model.joblib", "model.pickle", "model.pkl"),
            suffixes=(".joblib", ".pickle", ".pkl"),
            implementation="mlserver_sklearn.SKLearnModel",
            contents=("pickle", "compressed pickle"),
        ),
        Flavour(
            name="xgboost",
            platform="xgboost_booster",
            files=("model.bst", "model.json", "model.ubj"),
            suffixes=(".ubj", ".xgb"),
            implementation="mlserver_xgboost.XGBoostModel",
            contents=("xgboost", "pickle", "compressed pickle"),
            native=True,
        ),
        Flavour(
            name="lightgbm",
            platform="lightgbm_booster",
            files=("model.bst", "model.lgb", "model.txt"),
            suffixes=(".lgb", ".lgbm"),
            implementation="mlserver_lightgbm.LightGBMModel",
            contents=("lightgbm", "pickle", "compressed pickle"),
            native=True,
        ),
        Flavour(
            name="onnx",
            platform="onnx_onnxv1",
            files=("model.onnx",),
            suffixes=(".onnx",),
            contents=("onnx",),
            native=True,
        ),
        Flavour(
            name="pyfunc",
            platform="python_function",
            files=("model.py",),
            suffixes=(),
        ),
    )
}

_BY_IMPLEMENTATION = {
    **{flavour.implementation: flavour for flavour in FLAVOURS.values() if flavour.implementation},
    **{f"python_runtime.{flavour.name}": flavour for flavour in FLAVOURS.values()},
}

SNIFFED_BYTES = 16
"""How much of a file `content_of` wants to see."""

_FIRST_BYTES: tuple[tuple[bytes, str], ...] = (
    (b"{L\x00", "xgboost"),
    (b'{"', "xgboost"),
    (b"{\n", "xgboost"),
    (b"tree\n", "lightgbm"),
    (b"\x80", "pickle"),
    (b"\x1f\x8b", "compressed pickle"),
    (b"BZh", "compressed pickle"),
    (b"\xfd7zXZ", "compressed pickle"),
    (b"\x04\x22\x4d\x18", "compressed pickle"),
    (b"x\x01", "compressed pickle"),
    (b"x\x5e", "compressed pickle"),
    (b"x\x9c", "compressed pickle"),
    (b"x\xda", "compressed pickle"),
    (b"\x5d\x00\x00", "compressed pickle"),
    (b"\x08", "onnx"),  # field 1 of a protobuf message as a number: ir_version
)


def content_of(first_bytes: bytes) -> str | None:
    """What kind of file begins so; None if no kind that we know."""
    return next((content for start, content in _FIRST_BYTES if first_bytes.startswith(start)), None)


def flavour_of_content(content: str | None) -> Flavour | None:
    """The first flavour that loads such a file."""
    return next((flavour for flavour in FLAVOURS.values() if content in flavour.contents), None)


def flavour_of_implementation(implementation: str) -> Flavour | None:
    """The flavour that settings name; None if they name none, so that the files must tell.

    A dotted name that is nobody's is a Python function of the model's own. Raises `Unsupported` for the
    names of servers' own classes that we have no match for.
    """
    if not implementation:
        return None
    known = _BY_IMPLEMENTATION.get(implementation)
    if known is not None:
        return known
    family = implementation.partition(".")[0]
    if family == "python_runtime" or family.startswith(("mlserver_", "mlserver-")) or family == "mlserver":
        raise Unsupported(
            f"the implementation {implementation} is not offered here; there are "
            f"{', '.join(_BY_IMPLEMENTATION)}, and Python functions as `module.function`"
        )
    return FLAVOURS["pyfunc"]


def flavour_of_file(name: str) -> Flavour | None:
    """The flavour that a file's name tells; None if it could be several, or none."""
    for flavour in FLAVOURS.values():
        if name.endswith(flavour.suffixes):
            return flavour
    named = [flavour for flavour in FLAVOURS.values() if name in flavour.files]
    return named[0] if len(named) == 1 else None
