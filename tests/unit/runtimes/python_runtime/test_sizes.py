from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from runtimes.python_runtime.sizes import held_bytes, native_bytes


class Holder:
    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def test_arrays_count_with_their_data() -> None:
    assert 8_000 < held_bytes(Holder(weights=np.zeros(1000))) < 9_000


def test_what_is_shared_counts_once() -> None:
    array = np.zeros(1000)
    assert held_bytes(Holder(a=array, b=array, c=[array])) < 9_000


def test_a_view_counts_what_it_keeps_alive() -> None:
    assert held_bytes(Holder(view=np.zeros(1000)[:1])) > 8_000


def test_elements_of_object_arrays_count() -> None:
    assert held_bytes(np.array(["x" * 5000, None], object)) > 5_000


def test_a_vocabulary_counts_with_its_words() -> None:
    assert held_bytes({f"{'word' * 10}{number}": number for number in range(1000)}) > 80_000


def test_types_modules_and_functions_belong_to_nobody() -> None:
    assert held_bytes(Holder(kind=Holder, module=np, function=print, dtype=np.dtype("f8"))) < 500


def test_a_cycle_ends() -> None:
    holder = Holder()
    holder.me = holder  # type: ignore[attr-defined]  # it takes any field
    assert held_bytes(holder) > 0


def test_the_trees_of_a_forest_count(iris: tuple[Any, Any]) -> None:
    forest = RandomForestClassifier(20, random_state=0).fit(*iris)
    nodes = sum(tree.tree_.__getstate__()["nodes"].nbytes for tree in forest.estimators_)
    assert held_bytes(forest) > nodes


@pytest.mark.parametrize(
    ("grown_bytes", "held"),
    [
        pytest.param(None, 1000, id="it cannot be told: the file's size"),
        pytest.param(-500, 1000, id="others freed meanwhile"),
        pytest.param(5000, 5000, id="as measured"),
        pytest.param(10**9, 1024**2 + 64_000, id="others allocated meanwhile"),
    ],
)
def test_what_a_library_holds_is_kept_within_reason(grown_bytes: int | None, held: int) -> None:
    assert native_bytes(grown_bytes=grown_bytes, file_bytes=1000) == held
