from collections.abc import Sequence
from typing import Any

import pytest

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.objects import Objects, Seen, Turn
from adapter.domain.kinds import INFERENCE_SERVICE, Key, Manifest


def manifest(name: str, *, revision: int = 1, wish: str = "a", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ns", "resourceVersion": str(revision), **metadata},
        "spec": {"wish": wish},
        "status": {"revision": revision},
    }


class Reader:
    """Reads the wish, and counts how often."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, manifest: Manifest) -> str | None:
        self.read += 1
        wish = str(manifest["spec"]["wish"])
        if wish == "bad":
            raise BadManifest([Complaint("spec.wish", "must not be bad")])
        return None if wish == "other" else wish


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def objects(reader: Reader) -> Objects[str]:
    return Objects(INFERENCE_SERVICE, reader)


def changed(name: str, manifest: Manifest | None) -> Changed:
    return Changed(key=Key(kind=INFERENCE_SERVICE, name=name, namespace="ns"), manifest=manifest)


def told(turns: Sequence[Turn[str]]) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            turn.key.name,
            None if turn.before is None else turn.before.spec,
            None if turn.after is None else turn.after.spec,
        )
        for turn in turns
    ]


def test_a_list_tells_what_came_and_what_is_gone(objects: Objects[str]) -> None:
    assert not objects.is_listed
    objects.hear(Listed(objects=[manifest("a"), manifest("b")]))
    assert objects.is_listed
    turns = objects.hear(Listed(objects=[manifest("b", revision=2, wish="c")]))
    assert told(turns) == [("a", "a", None), ("b", "a", "c")]
    assert len(objects) == 1


def test_what_was_heard_before_is_no_news(objects: Objects[str]) -> None:
    objects.hear(Listed(objects=[manifest("a")]))
    assert objects.hear(Listed(objects=[manifest("a")])) == []
    assert objects.hear(changed("nobody", None)) == []


def test_a_status_is_news_and_is_not_read_again(objects: Objects[str], reader: Reader) -> None:
    objects.hear(changed("a", manifest("a")))
    [turn] = objects.hear(changed("a", manifest("a", revision=2)))
    assert turn.after is not None
    assert turn.after.manifest["status"] == {"revision": 2}
    assert reader.read == 1


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {"a": "b"}}, {"annotations": {"a": "b"}}, {"deletionTimestamp": "now"}, {"uid": "other"}],
    ids=lambda metadata: next(iter(metadata)),
)
def test_metadata_that_matters_is_read(
    objects: Objects[str], reader: Reader, metadata: dict[str, Any]
) -> None:
    objects.hear(changed("a", manifest("a")))
    objects.hear(changed("a", manifest("a", revision=2, **metadata)))
    assert reader.read == 2


def test_what_cannot_be_read_is_kept_with_its_complaint(objects: Objects[str]) -> None:
    objects.hear(Listed(objects=[manifest("a", wish="bad"), manifest("b", wish="other"), manifest("c")]))
    bad, other, good = (objects.get("ns", name) for name in "abc")
    assert bad is not None
    assert other is not None
    assert good is not None
    assert (bad.spec, str(bad.complaint)) == (None, "spec.wish: must not be bad")
    assert (other.spec, other.complaint) == (None, None)
    assert (good.spec, good.complaint) == ("a", None)
    assert [seen.key.name for seen in objects.within("ns")] == ["a", "b", "c"]
    assert list(objects.within("elsewhere")) == []


def test_a_list_of_one_namespace_says_nothing_of_another(objects: Objects[str]) -> None:
    objects.hear(Listed(objects=[manifest("a")]), namespace="ns")
    assert objects.hear(Listed(objects=[]), namespace="elsewhere") == []
    assert told(objects.hear(Listed(objects=[]), namespace="ns")) == [("a", "a", None)]


# What we write ourselves.

ANSWER = manifest("a", revision=2)
KEY = Key(kind=INFERENCE_SERVICE, name="a", namespace="ns")


def heard(objects: Objects[str], manifest: Manifest | None) -> bool:
    """Whether that was news."""
    return bool(objects.hear(changed("a", manifest)))


@pytest.fixture
def seen(objects: Objects[str]) -> Seen[str]:
    [turn] = objects.hear(changed("a", manifest("a")))
    assert turn.after is not None
    return turn.after


@pytest.mark.parametrize("is_heard_first", [True, False])
def test_a_status_that_we_write_is_no_news(
    objects: Objects[str], reader: Reader, seen: Seen[str], is_heard_first: bool
) -> None:
    with objects.writing(KEY):
        assert not (is_heard_first and heard(objects, ANSWER))
        known = objects.written(seen, ANSWER)
    assert not heard(objects, ANSWER)
    assert known is objects.get("ns", "a")
    assert known is not None
    assert (known.manifest, known.spec, reader.read) == (ANSWER, "a", 1)


def test_what_was_before_it_is_none_either(objects: Objects[str], seen: Seen[str]) -> None:
    assert objects.written(seen, manifest("a", revision=3))
    assert not heard(objects, manifest("a", revision=2))
    assert heard(objects, manifest("a", revision=4))


def test_a_list_counts_whatever_is_known_by_then(objects: Objects[str], seen: Seen[str]) -> None:
    assert objects.written(seen, manifest("a", revision=3))
    assert objects.hear(Listed(objects=[manifest("a", revision=2)]))


def test_another_status_meanwhile_is_found_out(objects: Objects[str], seen: Seen[str]) -> None:
    with objects.writing(KEY):
        assert not heard(objects, manifest("a", revision=3))
        assert objects.written(seen, ANSWER) is None
    assert heard(objects, manifest("a", revision=4))


def test_an_answer_with_another_wish_is_left_to_the_news(objects: Objects[str], seen: Seen[str]) -> None:
    other = manifest("a", revision=2, wish="b")
    assert objects.written(seen, other) is None
    assert heard(objects, other)


def test_another_wish_is_news_while_we_write(objects: Objects[str], seen: Seen[str]) -> None:
    with objects.writing(KEY):
        assert heard(objects, manifest("a", revision=2, wish="b"))
        assert heard(objects, None)
    assert objects.written(seen, ANSWER) is None
