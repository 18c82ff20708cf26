import shutil
from pathlib import Path

import pytest

from tests.tools.debian import debian


def test_what_is_installed_is_used(tmp_path: Path) -> None:
    recipe = debian("sh", package="dash")
    assert recipe.missing() is None
    recipe.make(tmp_path)
    assert recipe.is_built(tmp_path)
    assert recipe.path(tmp_path).readlink().name == "sh"


def test_what_can_neither_be_found_nor_unpacked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert debian("nginx", package="nginx").missing() == (
        "there is no `nginx`, nor Debian's `apt-get`: install nginx, or what has `nginx` elsewhere"
    )


def test_an_installed_program_that_is_gone_is_no_longer_there(tmp_path: Path) -> None:
    recipe = debian("sh", package="dash")
    recipe.make(tmp_path)
    recipe.path(tmp_path).unlink()
    recipe.path(tmp_path).symlink_to(tmp_path / "gone")
    assert not recipe.is_built(tmp_path)
