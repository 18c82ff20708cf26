import io
import json

from rich.console import Console

from adapter.cli.explain import document, page
from adapter.stubs.mesh.mesh_pb2 import ExplainResponse

NOW_MS = 1_700_000_060_000


def an_answer(**changes: object) -> ExplainResponse:
    fields = {"name": "iris", "model": "iris", "state": "cold", "cause": "It was evicted.", "cure": "Ask."}
    return ExplainResponse(**{**fields, **changes})  # type: ignore[arg-type]  # a builder


def printed(told: ExplainResponse) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=100).print(page(told, now_ms=NOW_MS))
    return [" ".join(line.split()) for line in out.getvalue().splitlines() if line.strip()]


def test_state_cause_and_cure_come_first() -> None:
    assert printed(an_answer()) == ["iris: cold", "cause It was evicted.", "cure Ask."]


def test_an_alias_says_what_it_stands_for() -> None:
    assert printed(an_answer(name="best"))[0] == "best (stands for iris): cold"


def test_copies_are_a_table_with_their_reasons() -> None:
    told = an_answer(state="loaded", next="answered by up-1: it is loaded here", refused=["up-2: it drains"])
    told.copies.add(
        instance="up-1", state="active", because="[a] request came", since_ms=NOW_MS - 60_000, size_bytes=2048
    )
    lines = printed(told)
    assert "next call answered by up-1: it is loaded here" in lines
    assert "refused by up-2: it drains" in lines
    assert lines[-1] == "up-1 active 60 s ago 2.0 KiB [a] request came"


def test_for_programs_it_is_json_with_every_field() -> None:
    told = an_answer(refused=["up-2: it drains"])
    told.copies.add(instance="up-1", state="failed", because="NOT_FOUND: x", since_ms=1_700_000_000_000)
    read = json.loads(json.dumps(document(told)))
    assert read["next"] is None
    assert read["refused"] == ["up-2: it drains"]
    assert read["copies"] == [
        {
            "instance": "up-1",
            "state": "failed",
            "because": "NOT_FOUND: x",
            "since_ms": 1_700_000_000_000,
            "since": "2023-11-14T22:13:20.000+00:00",
            "size_bytes": 0,
        }
    ]
