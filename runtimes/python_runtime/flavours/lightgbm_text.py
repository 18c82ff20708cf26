"""Whether the text of a LightGBM model is whole.

The library reads trees in parallel, and a tree that is cut off or garbled ends the *process* (seen with 4.7:
the error is thrown where nobody can catch it). So the text is checked before the library sees it: all trees
that the header announces are there, each has as many splits and leaves as it says, and none points outside
of itself.
"""

import re
from collections.abc import Mapping

from runtimes.python_runtime.errors import Corrupt

_SPLITS = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_CHILDREN = ("left_child", "right_child")


def check_text(text: str) -> None:
    """Raise `Corrupt` for a text that the library must not see."""
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
    if not text.startswith("end of trees", position):
        raise Corrupt(f"something stands behind the {len(sizes)} trees that the header announces")


def _check_tree(tree: Mapping[str, str], number: int, features: int) -> None:
    leaves = _whole(tree, "num_leaves")
    if leaves < 1 or _count(tree, "leaf_value") != leaves:
        raise Corrupt(f"tree {number} has not {leaves} leaves")
    if leaves == 1:
        return
    for name in _SPLITS:
        if _count(tree, name) != leaves - 1:
            raise Corrupt(f"tree {number} has not {leaves - 1} entries in {name}")
    for name in _CHILDREN:
        children = _wholes(tree, name)
        if min(children) < -leaves or max(children) > leaves - 2:
            raise Corrupt(f"tree {number} points outside of itself")
    columns = _wholes(tree, "split_feature")
    if min(columns) < 0 or max(columns) >= features:
        raise Corrupt(f"tree {number} splits by a column that there is not")
    _check_categories(tree, number)


def _check_categories(tree: Mapping[str, str], number: int) -> None:
    categories = _whole(tree, "num_cat")
    if categories == 0:
        return
    boundaries = _wholes(tree, "cat_boundaries")
    rising = boundaries == sorted(boundaries)
    if len(boundaries) != categories + 1 or boundaries[0] != 0 or not rising:
        raise Corrupt(f"tree {number} has not {categories} sets of categories")
    if _count(tree, "cat_threshold") != boundaries[-1]:
        raise Corrupt(f"tree {number} has not all its categories")


def _fields(block: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE))


def _count(fields: Mapping[str, str], name: str) -> int:
    value = fields.get(name, "")
    return value.count(" ") + 1 if value else 0


def _whole(fields: Mapping[str, str], name: str) -> int:
    return _wholes(fields, name)[0]


def _wholes(fields: Mapping[str, str], name: str) -> list[int]:
    try:
        numbers = [int(number) for number in fields.get(name, "").split(" ")]
    except ValueError as error:
        raise Corrupt(f"{name} is missing, or not what it should be") from error
    return numbers
