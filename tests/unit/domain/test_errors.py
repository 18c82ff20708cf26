import re
from pathlib import Path

import pytest

from adapter.domain import errors
from adapter.domain.errors import AdapterError, Broken, Refused

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "errors.md"
SOURCE = ROOT / "adapter" / "domain" / "errors.py"
"""Compiled, a module has no docstring."""
LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, AdapterError)
    and kind not in {AdapterError, Refused, Broken}
]


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, flags=re.MULTILINE))


def test_the_documented_table_is_what_the_code_says() -> None:
    assert rows(DOCUMENT.read_text()) == {kind.__name__: kind.code.name for kind in LEAVES}


def test_the_tree_drawn_at_the_top_is_what_the_code_says() -> None:
    drawn = dict(re.findall(r"── (\w+) +([A-Z_]{4,}) ", SOURCE.read_text()))
    assert drawn == {kind.__name__: kind.code.name for kind in LEAVES}


@pytest.mark.parametrize(
    "causes",
    [
        pytest.param(
            [
                errors.ModelNotFound,
                errors.ObjectMissing,
                errors.StorageKeyUnknown,
                errors.StorageAccessDenied,
                errors.StorageUnreachable,
                errors.ModelCorrupt,
                errors.FormatUnsupported,
                errors.ModelTooBig,
                errors.DiskFull,
            ],
            id="what bad input can cause",
        )
    ],
)
def test_each_cause_has_a_code_of_its_own(causes: list[type[AdapterError]]) -> None:
    assert len({kind.code for kind in causes}) == len(causes)


def test_an_error_without_a_text_is_told_by_its_name() -> None:
    assert errors.CacheBusy().described == "RESOURCE_EXHAUSTED: CacheBusy"
