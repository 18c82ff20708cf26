"""grpc-java's client: `tests/integration/clients/java`, compiled, with what its `pom.xml` names."""

import shutil
from pathlib import Path

from tests.tools.recipe import Recipe, Workshop, version_of

PROJECT = Path(__file__).resolve().parents[1] / "integration" / "clients" / "java"
POM = PROJECT / "pom.xml"
SOURCES = sorted(PROJECT.glob("*.java"))


def _missing() -> str | None:
    lacking = [program for program in ("javac", "mvn") if not shutil.which(program)]
    if not lacking:
        return None
    return f"there is no `{'` and no `'.join(lacking)}` on the PATH: install a JDK, 17 or newer, and Maven"


def _build(workshop: Workshop) -> None:
    built = workshop.staging / "grpc_java"
    # Maven only fetches: its compiler plugin would be one more thing to fetch.
    workshop.run(
        *("mvn", "--batch-mode", "--quiet", "--file", POM, "dependency:copy-dependencies"),
        *(f"-DoutputDirectory={built / 'libraries'}", f"-DbuildDirectory={workshop.staging / 'target'}"),
    )
    classes = built / "classes"
    workshop.run(
        "javac", "-Xlint:all,-processing", "-Werror", "-cp", f"{built}/libraries/*", "-d", classes, *SOURCES
    )
    place = workshop.cache / "grpc_java"
    shutil.rmtree(place, ignore_errors=True)
    built.replace(place)


RECIPE = Recipe(
    name="grpc_java",
    version=version_of(POM, *SOURCES),
    program="grpc_java",
    takes="half a minute",
    missing=_missing,
    build=_build,
)
