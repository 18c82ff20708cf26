import ast
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, TESTED_ELSEWHERE, complain, named, parsed, python_files

TESTS = ROOT / "tests"


def has_behaviour(tree: ast.Module) -> bool:
    """Whether anything in it does something: protocols, values and names alone need no test."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not all(map(_says_nothing, node.body))
        for node in ast.walk(tree)
    )


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def counterparts(source: Path) -> list[Path]:
    """The test files of its name: in its place among the unit tests, or a suite of its own elsewhere."""
    below = source.relative_to(ROOT / "adapter")
    mirrored = TESTS / "unit" / below.parent / f"test_{source.stem}.py"
    names = {f"test_{source.stem}.py", f"test_{source.parent.name}_{source.stem}.py"}
    elsewhere = [
        path for folder in ("contracts", "integration") for path in (TESTS / folder).rglob("test_*.py")
    ]
    return [
        path for path in [mirrored, *elsewhere] if path.exists() and (path == mirrored or path.name in names)
    ]


def needs_one(source: Path) -> bool:
    return source.name not in {"__init__.py", "__main__.py"} and has_behaviour(parsed(source))


def test_every_source_file_has_the_test_file_of_its_name() -> None:
    complain(
        [
            f"{name}: no tests/unit/{Path(name).relative_to('adapter').parent}/test_{source.stem}.py"
            for source in python_files("adapter")
            if needs_one(source)
            and not counterparts(source)
            and (name := named(source)) not in TESTED_ELSEWHERE
        ],
        remedy="Test them, or say in TESTED_ELSEWHERE (tests/tidy/tree.py) where they are tested:",
    )


def test_every_exception_is_still_needed() -> None:
    complain(
        [
            name
            for name in TESTED_ELSEWHERE
            if not (ROOT / name).exists() or not needs_one(ROOT / name) or counterparts(ROOT / name)
        ],
        remedy="Take these out of TESTED_ELSEWHERE in tests/tidy/tree.py:",
    )


@pytest.mark.parametrize(
    ("source", "behaves"),
    [
        pytest.param(
            'class Seam(Protocol):\n    def get(self) -> int:\n        """It."""\n        ...',
            False,
            id="a seam",
        ),
        pytest.param("ModelId = NewType('ModelId', str)", False, id="a name"),
        pytest.param("class A:\n    def b(self) -> int:\n        return 1", True, id="a method"),
        pytest.param("async def a() -> None:\n    await b()", True, id="a function"),
    ],
)
def test_only_what_does_something_needs_a_test(source: str, behaves: bool) -> None:
    assert has_behaviour(ast.parse(source)) is behaves
