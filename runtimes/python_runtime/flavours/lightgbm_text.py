"""Whether the text of a LightGBM model is whole.

The library reads trees in parallel, where an error cannot be caught: it ends the *process* (seen with 4.7).
So the library is given the text without the line `tree_sizes`, which has it read one tree after the other,
and without what stands behind the trees, which is about the training. Before that it is checked here, since
what is cut off between two trees would only be a smaller model then, and what points outside of a tree
would be followed there.
"""

import re
from collections.abc import Mapping

from runtimes.python_runtime.errors import Corrupt

_OF_SPLITS = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_MAYBE_OF_SPLITS = ("split_gain", "internal_value", "internal_weight", "internal_count")
_MAYBE_OF_LEAVES = ("leaf_weight", "leaf_count", "leaf_const", "num_features")
_CHILDREN = ("left_child", "right_child")
_IS_CATEGORICAL = 1
"""A bit of `decision_type`; the threshold is then the number of a set of categories."""


def checked(text: str) -> str:
    """The text as the library may see it; raises `Corrupt` for one that is not whole."""
    head, _, rest = text.partition("\n\n")
    header = _fields(head)
    if not head.startswith("tree\n") or "tree_sizes" not in header:
        raise Corrupt("it does not begin as a LightGBM model does")
    features = _whole(header, "max_feature_idx") + 1
    for name in ("num_class", "num_tree_per_iteration", "label_index"):
        _whole(header, name)
    sizes = _wholes(header, "tree_sizes")
    position = len(text) - len(rest.lstrip("\n"))
    for number, size in enumerate(sizes):
        tree = text[position : position + size]
        if len(tree) < size or not tree.startswith(f"Tree={number}\n"):
            raise Corrupt(f"tree {number} of {len(sizes)} is missing or cut off")
        _check_tree(_fields(tree), number, features)
        position += size
    if not text.startswith(_END, position):
        raise Corrupt(f"something stands behind the {len(sizes)} trees that the header announces")
    return _SIZES.sub("", head, count=1) + text[len(head) : position] + _END + "\n"


_END = "end of trees"
_SIZES = re.compile(r"^tree_sizes=.*(\n|\Z)", re.MULTILINE)


def _check_tree(tree: Mapping[str, str], number: int, features: int) -> None:
    leaves = _whole(tree, "num_leaves")
    if leaves < 1 or _count(tree, "leaf_value") != leaves:
        raise Corrupt(f"tree {number} has not {leaves} leaves")
    if _whole(tree, "is_linear", missing=0):
        _check_columns(tree, "leaf_features", number, features)
    for name in _MAYBE_OF_LEAVES:
        if _count(tree, name) not in (0, leaves):
            raise Corrupt(f"tree {number} has not {leaves} entries in {name}")
    if leaves == 1:
        return
    for name in (*_OF_SPLITS, *_MAYBE_OF_SPLITS):
        if _count(tree, name) != leaves - 1 and not (name in _MAYBE_OF_SPLITS and not _count(tree, name)):
            raise Corrupt(f"tree {number} has not {leaves - 1} entries in {name}")
    for name in _CHILDREN:
        children = _wholes(tree, name)
        if min(children) < -leaves or max(children) > leaves - 2:
            raise Corrupt(f"tree {number} points outside of itself")
    _check_columns(tree, "split_feature", number, features)
    _check_categories(tree, number)


def _check_columns(tree: Mapping[str, str], name: str, number: int, features: int) -> None:
    columns = _wholes(tree, name)
    if columns and (min(columns) < 0 or max(columns) >= features):
        raise Corrupt(f"tree {number} asks for a column that there is not")


def _check_categories(tree: Mapping[str, str], number: int) -> None:
    sets = _whole(tree, "num_cat")
    kinds = zip(_wholes(tree, "decision_type"), tree["threshold"].split(), strict=True)
    chosen = [threshold for kind, threshold in kinds if kind & _IS_CATEGORICAL]
    if not all(threshold.isdecimal() and int(threshold) < sets for threshold in chosen):
        raise Corrupt(f"tree {number} asks for a set of categories that there is not")
    if sets == 0:
        return
    boundaries = _wholes(tree, "cat_boundaries")
    rising = boundaries == sorted(boundaries)
    if len(boundaries) != sets + 1 or boundaries[0] != 0 or not rising:
        raise Corrupt(f"tree {number} has not {sets} sets of categories")
    if _count(tree, "cat_threshold") != boundaries[-1]:
        raise Corrupt(f"tree {number} has not all its categories")


def _fields(block: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE))


def _count(fields: Mapping[str, str], name: str) -> int:
    return len(fields.get(name, "").split())


def _whole(fields: Mapping[str, str], name: str, *, missing: int | None = None) -> int:
    numbers = _wholes(fields, name)
    if len(numbers) == 1:
        return numbers[0]
    if missing is None or numbers:
        raise Corrupt(f"{name} is missing, or not one number")
    return missing


def _wholes(fields: Mapping[str, str], name: str) -> list[int]:
    try:
        return [int(number) for number in fields.get(name, "").split()]
    except ValueError as error:
        raise Corrupt(f"{name} has something else than whole numbers") from error
