import pytest

from adapter.controller.desired.images import version_of


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("seldonio/mlserver:1.3.2", "1.3.2"),
        ("registry.example:5000/mlserver:1.3.2", "1.3.2"),
        ("registry.example:5000/mlserver", None),
        ("mlserver@sha256:12ab", "sha256:12ab"),
        ("registry.example:5000/mlserver:1.3.2@sha256:12ab", "1.3.2"),
        ("mlserver", None),
        ("", None),
    ],
)
def test_the_version_is_the_tag_or_else_the_digest(image: str, version: str | None) -> None:
    assert version_of(image) == version
