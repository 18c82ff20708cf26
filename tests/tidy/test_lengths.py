import ast
from pathlib import Path

from tests.tidy.tree import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    LONG,
    ROOT,
    complain,
    named,
    parsed,
    python_files,
)

FOLDERS = ("adapter", "runtimes", "tests", "bench")


def long_functions(name: str, tree: ast.Module) -> dict[str, int]:
    """`name:function` of each function that is too long, and its lines."""
    return {
        f"{name}:{node.name}": lines
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_a_function_fits_a_screen() -> None:
    found = {
        key: n
        for path in python_files(*FOLDERS)
        for key, n in long_functions(named(path), parsed(path)).items()
    }
    complain(
        [f"{key} has {lines} lines" for key, lines in found.items() if key not in LONG],
        remedy=f"A function has at most {FUNCTION_LINES_MAX} lines; give a step of it a name of its own:",
    )


def test_a_file_can_be_read_in_one_go() -> None:
    found = {named(path): lines_of(path) for path in python_files(*FOLDERS)}
    complain(
        [
            f"{name} has {lines} lines"
            for name, lines in found.items()
            if lines > FILE_LINES_MAX and name not in LONG
        ],
        remedy=f"A file has at most {FILE_LINES_MAX} lines; one part of it is a module of its own:",
    )


def test_every_exception_is_still_needed() -> None:
    def is_needed(key: str) -> bool:
        path = ROOT / key.partition(":")[0]
        if not path.exists():
            return False
        return key in long_functions(named(path), parsed(path)) or lines_of(path) > FILE_LINES_MAX

    complain(
        [key for key in LONG if not is_needed(key)], remedy="Take these out of LONG in tests/tidy/tree.py:"
    )


def test_the_rule_bites() -> None:
    source = ast.parse("def handle():\n" + "    pass\n" * FUNCTION_LINES_MAX)
    assert long_functions("a.py", source) == {"a.py:handle": FUNCTION_LINES_MAX + 1}
