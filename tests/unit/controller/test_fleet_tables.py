from typing import Any

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.fleet_tables import Table, Turn
from adapter.domain.kinds import POD, Key


def pod(name: str, namespace: str = "apples", *, fact: int | None = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "fact": fact}


def key(name: str, namespace: str = "apples") -> Key:
    return Key(kind=POD, name=name, namespace=namespace)


def a_table(**options: Any) -> Table[int]:
    return Table(POD, lambda manifest: manifest["fact"], **options)


def test_what_is_listed_is_kept_and_what_is_not_listed_any_more_goes() -> None:
    table = a_table()
    table.hear(Listed(objects=[pod("a"), pod("b")]), namespace=None)
    turns = table.hear(Listed(objects=[pod("b", fact=2)]), namespace=None)
    assert turns == [Turn(key("b"), 1, 2), Turn(key("a"), 1, None)]
    assert dict(table.of("apples")) == {"b": 2}


def test_a_list_of_one_namespace_says_nothing_of_others() -> None:
    table = a_table()
    table.hear(Listed(objects=[pod("a", "pears")]), namespace="pears")
    table.hear(Listed(objects=[]), namespace="apples")
    assert dict(table.of("pears")) == {"a": 1}


def test_a_change_that_changes_no_fact_is_none() -> None:
    table = a_table()
    change = Changed(key=key("a"), manifest=pod("a"))
    assert table.hear(change, namespace="apples") == [Turn(key("a"), None, 1)]
    assert table.hear(change, namespace="apples") == []


def test_what_does_not_concern_us_is_not_kept() -> None:
    table = a_table()
    table.put(key("a"), pod("a"))
    assert table.put(key("a"), pod("a", fact=None)) == Turn(key("a"), 1, None)
    assert len(table) == 0


def test_what_is_gone_goes() -> None:
    table = a_table()
    table.put(key("a"), pod("a"))
    assert table.hear(Changed(key=key("a"), manifest=None), namespace="apples") == [Turn(key("a"), 1, None)]


def test_older_news_do_not_take_the_place_of_newer() -> None:
    table = a_table(is_newer=lambda after, before: after >= before)
    table.put(key("a"), pod("a", fact=5))
    assert table.put(key("a"), pod("a", fact=4)).after == 5


def test_a_dropped_namespace_is_forgotten() -> None:
    table = a_table()
    table.put(key("a"), pod("a"))
    table.drop("apples")
    assert len(table) == 0
