import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cluster.local_text import documents, written

ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def told(text: str, **kwargs: bool) -> list[tuple[int, tuple[object, ...], str]]:
    return [(each.number, each.manifests, each.complaint) for each in documents(text, **kwargs)]


def test_a_bad_document_harms_no_other_and_says_its_line_of_the_file() -> None:
    first, second, third = told("a: 1\n---\nb: [1\n---\nc: 3\n")
    assert first == (1, ({"a": 1},), "")
    assert second[0] == 2
    assert "(line 4" in second[2]
    assert third == (3, ({"c": 3},), "")


@pytest.mark.parametrize(
    ("text", "manifests"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("# only a comment\n---\n---\n", [], id="nothing said"),
        pytest.param("---\na: 1\n", [{"a": 1}], id="a mark first"),
        pytest.param("# comment\n---\na: 1\n", [{"a": 1}], id="a comment first"),
        pytest.param("--- # with a word\na: 1\n", [{"a": 1}], id="a mark with a comment"),
        pytest.param("a: |\n  ---\n  b\n", [{"a": "---\nb\n"}], id="a mark in a text"),
        pytest.param("{kind: List, items: [{a: 1}, {b: 2}]}", [{"a": 1}, {"b": 2}], id="a list"),
    ],
)
def test_documents_are_found(text: str, manifests: list[object]) -> None:
    assert [manifest for _, each, _ in told(text) for manifest in each] == manifests


def test_the_texts_of_all_documents_are_the_file() -> None:
    text = "# first\na: 1\n---\nb: 2\n---\nc: [\n"
    assert "".join(each.text for each in documents(text)) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2020-01-01", "2020-01-01", id="a date is a text"),
        pytest.param("1:30", "1:30", id="minutes are a text"),
        pytest.param("yes", True, id="yes"),
        pytest.param("0644", 420, id="octal"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param("~", None, id="null"),
    ],
)
def test_values_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    assert told(f"a: {text}") == [(1, ({"a": value},), "")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("a: 1\na: 2", "'a' is there twice", id="a key twice"),
        pytest.param("a: &x [*x]", "nested more than", id="in itself"),
        pytest.param("[" * 2000, "not YAML", id="without end"),
        pytest.param("a: !!binary aGk=", "JSON cannot have", id="bytes"),
        pytest.param("a: !!python/object/apply:os.getcwd []", "not YAML", id="code"),
        pytest.param("? [1]\n: 2", "not YAML", id="a key that is a list"),
        pytest.param("just words", "not a text", id="no object"),
        pytest.param("kind: List\nitems: [7]", r"items\[0\]", id="a list of something else"),
        pytest.param("a: .inf\nb: 1e999", "infinite", id="no number"),
    ],
)
def test_what_is_no_manifest_is_complained_about(text: str, complaint: str) -> None:
    (only,) = documents(text)
    assert not only.manifests
    with pytest.raises(AssertionError, match=complaint):
        raise AssertionError(only.complaint)


def test_repetition_is_bounded() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 20)}]\n" for n in range(1, 9))
    (only,) = documents(f"l0: &l0 [x]\n{levels}")
    assert "values" in only.complaint


def test_a_secret_is_not_repeated_in_a_complaint() -> None:
    (only,) = documents("stringData: {password: hunter2, : [}")
    assert only.complaint
    assert "hunter2" not in only.complaint


def test_json_is_read_as_json() -> None:
    assert told('{"a":\t1}', is_json=True) == [(1, ({"a": 1},), "")]
    assert "not JSON" in told("{", is_json=True)[0][2]


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_is_written_is_read_as_the_same(value: dict[str, object]) -> None:
    assert told(written(value)) == [(1, (value,), "")]


@given(st.text())
def test_whatever_comes_is_a_manifest_or_a_complaint(text: str) -> None:
    for each in documents(text):
        assert bool(each.manifests) != bool(each.complaint) or each.manifests == ()
