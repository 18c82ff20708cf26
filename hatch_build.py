"""Compiles the pure core while a wheel is built, if `REMESH_COMPILED=1` asks for it; else it does nothing.

What is compiled is ordinary typed Python, listed in pyproject.toml. mypyc makes C extensions of it, which
stand beside their sources in the wheel and are imported in their place
(docs/adr/0012-the-core-can-be-compiled.md).

`REMESH_COMPILED_OBJECTS` names a folder that keeps the C files and objects, so that the next build compiles
only what has changed.
"""

import os
import shlex
import shutil
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY: Final = "adapter.pure"
"""All modules are in one library, so that they call one another directly."""

C_FLAGS: Final = ("-g0", "-fno-semantic-interposition", "-fno-plt")
"""No function is to be replaced from outside, so calls need not go by a table; that is worth some 3 %."""


class CompileHook(BuildHookInterface[Any]):
    """What hatchling asks around the build of a wheel."""

    _kept = ""

    def dependencies(self) -> list[str]:
        """What compiling takes beside a C compiler."""
        return list(self.config["needs"]) if _is_asked_for() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the files are gathered."""
        if not _is_asked_for():
            return
        if version == "editable":
            self.app.display_warning("REMESH_COMPILED: an editable install runs from its sources")
            return
        if complaint := missing_compiler():
            self.app.abort(f"REMESH_COMPILED: {complaint}")
        objects = os.environ.get("REMESH_COMPILED_OBJECTS")
        if not objects:
            objects = self._kept = tempfile.mkdtemp(prefix="remesh-compiled-")
        with chdir(self.root):
            extensions = compiled(sources(self.config["modules"]), Path(objects).resolve())
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update(extensions)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After the wheel is written."""
        del version, build_data, artifact_path
        if self._kept:
            shutil.rmtree(self._kept, ignore_errors=True)


def missing_compiler() -> str | None:
    """What to say when there is no C compiler."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(command[0]):
        return None
    return (
        f"there is no C compiler (`{command[0]}` is not on the PATH): install one (Debian: build-essential), "
        "name it in CC, or build without REMESH_COMPILED, which gives the same in plain Python"
    )


def sources(patterns: Sequence[str]) -> list[str]:
    """The modules; a package's own file says only what the package is."""
    found = {path for pattern in patterns for path in Path().glob(pattern) if path.name != "__init__.py"}
    return sorted(path.as_posix() for path in found)


def compiled(modules: Sequence[str], objects: Path) -> dict[str, str]:
    """Compile; gives each extension with its place in the wheel. Raises `SystemExit` for a type error."""
    import setuptools  # before mypyc, which looks for it
    from mypyc.build import mypycify
    from setuptools.command.build_ext import build_ext

    extensions = mypycify(
        [f"--cache-dir={objects / 'types'}", *modules],
        opt_level="2",
        group_name=LIBRARY,
        target_dir=str(objects / "c"),
    )
    for extension in extensions:
        # A warning of another compiler is no reason to fail.
        kept = [flag for flag in extension.extra_compile_args if flag != "-Werror"]
        extension.extra_compile_args = [*kept, *C_FLAGS]
    command = build_ext(setuptools.Distribution({"name": "remesh", "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(objects / "lib"), str(objects / "objects")
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
    outputs = map(Path, command.get_outputs())
    return {str(path): path.relative_to(objects / "lib").as_posix() for path in outputs}


def _is_asked_for() -> bool:
    return os.environ.get("REMESH_COMPILED", "").lower() in {"1", "true", "yes"}
