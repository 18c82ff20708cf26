import re
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, complain, named

LINK = re.compile(r"\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)
NAMED_PATH = re.compile(r"`((?:adapter|bench|deploy|docs|protos|runtimes|tests)/[\w./-]+)`")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def pages() -> list[Path]:
    folders = ("docs", "runtimes", "adapter", "deploy", "bench", "tests")
    return [
        *ROOT.glob("*.md"),
        *(page for folder in folders for page in sorted((ROOT / folder).rglob("*.md"))),
    ]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    plain = (
        re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        for heading in HEADING.findall(FENCE.sub("", text))
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def broken_links(page: Path) -> list[str]:
    """The links of a page that lead nowhere within the repository."""
    text = page.read_text()
    broken = []
    for target in LINK.findall(FENCE.sub("", text)):
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (
            anchor and place.suffix == ".md" and anchor not in anchors(place.read_text())
        ):
            broken.append(target)
    return broken


def test_every_link_leads_somewhere() -> None:
    complain(
        [f"{named(page)}: {target}" for page in pages() for target in broken_links(page)],
        remedy="These links lead nowhere; mend the path or the anchor:",
    )


def test_every_path_that_a_page_names_is_there() -> None:
    complain(
        [
            f"{named(page)}: {path}"
            for page in pages()
            for path in NAMED_PATH.findall(page.read_text())
            if not (ROOT / path).exists()
        ],
        remedy="These pages name files that are not there; mend them:",
    )


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        pytest.param("[x](other.md)", [], id="a page"),
        pytest.param("[x](other.md#the-seams-of-it)", [], id="a heading of it"),
        pytest.param("[x](#here)\n# Here", [], id="a heading of this page"),
        pytest.param("[x](https://a.example/b)", [], id="elsewhere"),
        pytest.param("```\n[x](no.md)\n```", [], id="within code"),
        pytest.param("[x](no.md)", ["no.md"], id="no such page"),
        pytest.param("[x](other.md#no)", ["other.md#no"], id="no such heading"),
    ],
)
def test_the_rule_bites(tmp_path: Path, text: str, broken: list[str]) -> None:
    (tmp_path / "other.md").write_text("# The `seams`, of it\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert broken_links(page) == broken
