import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from runtimes.python_runtime.errors import Corrupt
from runtimes.python_runtime.flavours.lightgbm_text import checked

QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}


def text_of(iris: Any, **parameters: object) -> str:
    rows, classes = iris
    if parameters.pop("categories", False):
        data = lightgbm.Dataset(np.round(rows), classes == 1, categorical_feature=[0, 1], free_raw_data=False)
    else:
        data = lightgbm.Dataset(rows, classes if "num_class" in parameters else classes == 1)
    text: str = lightgbm.train({**QUIET, **parameters}, data, 4).model_to_string()
    return text


@pytest.fixture(scope="module")
def text(iris: Any) -> str:
    return text_of(iris, objective="multiclass", num_class=3)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"objective": "multiclass", "num_class": 3}, id="classes"),
        pytest.param({"objective": "binary"}, id="binary"),
        pytest.param({"objective": "regression", "linear_tree": True}, id="linear trees"),
        pytest.param({"objective": "binary", "categories": True, "min_data_per_group": 1}, id="categories"),
        pytest.param(
            {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            id="forest",
        ),
        pytest.param({"objective": "regression", "min_data_in_leaf": 1000}, id="trees of one leaf"),
    ],
)
def test_what_the_library_wrote_is_whole(iris: Any, parameters: dict[str, object]) -> None:
    text, rows = text_of(iris, **parameters), iris[0]
    whole, again = lightgbm.Booster(model_str=text), lightgbm.Booster(model_str=checked(text))
    np.testing.assert_array_equal(again.predict(rows), whole.predict(rows))


@pytest.mark.parametrize("part", [0.0, 0.01, 0.05, 0.3, 0.5, 0.7])
def test_what_is_cut_off_is_corrupt(text: str, part: float) -> None:
    with pytest.raises(Corrupt):
        checked(text[: int(text.index("end of trees") * part)])


@pytest.mark.parametrize(
    ("pattern", "replacement", "says"),
    [
        pytest.param(r"tree_sizes=.*\n", "", "begin", id="no sizes"),
        pytest.param(r"max_feature_idx=3", "max_feature_idx=?", "max_feature_idx", id="columns"),
        pytest.param(r"Tree=1\n", "Tree=7\n", "tree 1 of", id="another tree"),
        pytest.param(r"num_leaves=\d", "num_leaves=9", "leaves", id="number of leaves"),
        pytest.param(r"left_child=\d", "left_child=9", "outside of itself", id="a child that there is not"),
        pytest.param(r"split_feature=\d", "split_feature=7", "column", id="a column that there is not"),
        pytest.param(r"threshold=(\S+) ", r"threshold=\1_", "threshold", id="a threshold too few"),
    ],
)
def test_what_is_garbled_is_corrupt(text: str, pattern: str, replacement: str, says: str) -> None:
    garbled = re.sub(pattern, replacement, text, count=1)
    assert garbled != text
    with pytest.raises(Corrupt, match=says):
        checked(garbled)


LOAD_ALL = """
import sys, lightgbm
from pathlib import Path
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        lightgbm.Booster(model_str=path.read_text()).predict([[1.0, 2.0, 3.0, 4.0]])
    except lightgbm.basic.LightGBMError:
        pass
print("alive")
"""


def test_what_passes_does_not_end_the_process(text: str, tmp_path: Path) -> None:
    """A process of its own loads every damaged text that the check let through."""
    rng, passed = random.Random(5), 0
    for number in range(400):
        place = rng.randrange(len(text))
        damaged = text[:place] + rng.choice("x9-. \n") + text[place + 1 :]
        try:
            let_through = checked(damaged)
        except Corrupt:
            continue
        (tmp_path / str(number)).write_text(let_through)
        passed += 1
    assert passed > 10
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("alive\n"), done.stderr[-1000:]
