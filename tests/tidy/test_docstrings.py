import ast

from tests.tidy.tree import complain, named, parsed, python_files


def undocumented(name: str, tree: ast.Module) -> list[str]:
    """The module and the public classes that say nothing of themselves."""
    missing = [] if ast.get_docstring(tree) else [f"{name} has no docstring"]
    return missing + [
        f"{name}: class {node.name} has no docstring"
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]


def test_every_module_and_public_class_says_what_it_is() -> None:
    complain(
        [
            line
            for path in python_files("adapter", "runtimes")
            for line in undocumented(named(path), parsed(path))
        ],
        remedy="Say what it does, in which units, and which errors it raises:",
    )


def test_every_package_opens_with_its_charter() -> None:
    def lacks(text: str) -> list[str]:
        return [word for word in ("Owns ", "Never ", "Read ") if f"\n{word}" not in text]

    packages = [
        path
        for path in python_files("adapter")
        if path.name == "__init__.py" and path.parent.name != "adapter"
    ]
    complain(
        [
            f"{named(path)} lacks {' and '.join(missing)}"
            for path in packages
            # A tool has nothing that it must not do, and a package of one module no order of reading.
            if len(missing := lacks(ast.get_docstring(parsed(path)) or "")) > 1
        ],
        remedy="A package says what it owns, what it must never do, and in which order to read it:",
    )


def test_the_rule_bites() -> None:
    source = ast.parse("class Cache: pass\nclass _Entry: pass")
    assert undocumented("a.py", source) == ["a.py has no docstring", "a.py: class Cache has no docstring"]
