"""A Python function as a model.

Either the settings name it, `"implementation": "module.name"`, where `module.py` (or the package `module/`)
lies in the model's folder; or the folder has a `model.py` with `predict`.

A function is called as `function(inputs)`. A class is made as `Class(folder, **extra)`, where `folder` is a
`pathlib.Path` and `extra` is `parameters.extra` of the settings, and then its `predict(inputs)` is called.
`model.py` may have `load(folder)`, which is called once; if what it returns has a `predict`, that is asked
from then on, otherwise the module's own.

`inputs` maps each input's name to a numpy array (BYTES: an object array of `bytes`). The answer is an array,
or a mapping of output names to arrays. Several threads call at once. `ValueError` and `TypeError` tell the
caller that the request is wrong; every other error is the model's. A module imports its neighbours relatively
(`from . import neighbour`), so that the modules of two models are never mixed up.
"""

import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from runtimes.python_runtime.errors import Corrupt, FilesMissing, ModelFailed
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.signature import Arrays, Matching, Signature, interned

DEFAULT_MODULE = "model"
OUTPUT_NAME = "output"
"""Of an answer that is a bare array, unless the settings declare a name."""

_numbers = count()


class PyfuncModel:
    """One function, with the modules that were imported for it."""

    __slots__ = ("_package", "_predict", "signature")

    def __init__(self, package: str, predict: Callable[[Arrays], Any], signature: Signature) -> None:
        self._package = package
        self._predict = predict
        self.signature = signature

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        answer = self._predict(inputs)
        if not isinstance(answer, Mapping):
            declared = self.signature.outputs
            answer = {declared[0].name if declared else OUTPUT_NAME: answer}
        missing = [name for name in outputs if name not in answer]
        if missing:
            raise ValueError(f"there are no outputs {missing}; the model gave {list(answer)}")
        return {name: answer[name] for name in outputs} if outputs else answer

    def __del__(self) -> None:
        _forget(self._package)


def load(source: ModelSource) -> PyfuncModel:
    """Import the code and make what is asked. Raises `FilesMissing`, `Corrupt` or `ModelFailed`."""
    path = Path(source.path)
    folder, default = (path, DEFAULT_MODULE) if path.is_dir() else (path.parent, path.stem)
    module_name, name = _named(source.settings.implementation)
    package = f"{__name__}_{next(_numbers)}"
    try:
        module = _import(package, folder, module_name or default)
        predict = _made(module, name, folder, source) if name else _conventional(module, folder)
    except BaseException:
        _forget(package)
        raise
    return PyfuncModel(package, predict, _signature_of(source))


def _named(implementation: str) -> tuple[str, str]:
    """Module and name in it; both empty where the settings leave it to `model.py`."""
    if implementation.startswith("python_runtime."):
        return "", ""
    module_name, _, name = implementation.rpartition(".")
    return module_name, name


def _import(package: str, folder: Path, name: str) -> ModuleType:
    """The module, below a package of this model's own that has the folder as its path."""
    parent = ModuleType(package)
    parent.__path__ = [str(folder)]
    sys.modules[package] = parent
    path = folder.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    spec = spec_from_file_location(f"{package}.{name}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise FilesMissing(f"there is no module {name} in {folder}")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise Corrupt(f"{file} is not Python: {error}") from error
    except Exception as error:
        raise ModelFailed(f"importing {file} failed: {type(error).__name__}: {error}") from error
    return module


def _made(module: ModuleType, name: str, folder: Path, source: ModelSource) -> Callable[[Arrays], Any]:
    target = getattr(module, name, None)
    if not callable(target):
        raise FilesMissing(
            f"the module {source.settings.implementation} names has no function or class {name}"
        )
    if not isinstance(target, type):
        function: Callable[[Arrays], Any] = target
        return function
    return _predict_of(_called(lambda: target(folder, **source.settings.extra), name), name)


def _conventional(module: ModuleType, folder: Path) -> Callable[[Arrays], Any]:
    load_function = getattr(module, "load", None)
    loaded = _called(lambda: load_function(folder), "load") if callable(load_function) else None
    return _predict_of(loaded if hasattr(loaded, "predict") else module, "model.py")


def _called(make: Callable[[], object], name: str) -> object:
    try:
        return make()
    except Exception as error:
        raise ModelFailed(f"{name} failed: {type(error).__name__}: {error}") from error


def _predict_of(owner: object, name: str) -> Callable[[Arrays], Any]:
    predict: Callable[[Arrays], Any] | None = getattr(owner, "predict", None)
    if not callable(predict):
        raise FilesMissing(f"{name} has no predict(inputs)")
    return predict


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]


def _signature_of(source: ModelSource) -> Signature:
    settings = source.settings
    matching = Matching.BY_NAME if settings.inputs else Matching.ANYTHING
    return interned(Signature(inputs=settings.inputs, outputs=settings.outputs, matching=matching))
