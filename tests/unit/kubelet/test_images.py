import json
from pathlib import Path

import pytest

from tests.kubelet.images import PATH, Image, find_image, name_of, read_images


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        pytest.param("minio", "minio", id="a name"),
        pytest.param("quay.io/a/minio:v1", "quay.io/a/minio", id="a tag"),
        pytest.param("host:5000/minio", "host:5000/minio", id="a port"),
        pytest.param("host:5000/minio:v1@sha256:00", "host:5000/minio", id="all of it"),
    ],
)
def test_the_name_of_an_image(reference: str, name: str) -> None:
    assert name_of(reference) == name


def test_a_whole_reference_goes_before_a_name() -> None:
    some, other = Image(command=("a",)), Image(command=("b",))
    known = {"minio": some, "minio:v2": other}
    assert find_image(known, "minio:v1") is some
    assert find_image(known, "minio:v2") is other
    assert find_image(known, "etcd") is None


@pytest.mark.parametrize(
    ("command", "arguments", "run"),
    [
        pytest.param((), (), ["serve", "--port", "1"], id="as the image has it"),
        pytest.param((), ("--help",), ["serve", "--help"], id="arguments of the pod"),
        pytest.param(("other",), (), ["other"], id="a command of the pod: not with the image's arguments"),
        pytest.param(
            ("/opt/tool", "x"), ("y",), ["python", "tool.py", "x", "y"], id="a program of the image"
        ),
    ],
)
def test_what_is_run(command: tuple[str, ...], arguments: tuple[str, ...], run: list[str]) -> None:
    programs = {"/opt/tool": ("python", "tool.py")}
    image = Image(command=("serve",), arguments=("--port", "1"), programs=programs)
    assert image.argv(command, arguments) == run


def test_nothing_to_run_is_nothing() -> None:
    assert Image().argv((), ()) == []


def test_a_file_of_images(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"a": {"command": ["run"], "env": {"B": "c"}, "programs": {"/x": ["y"]}}}))
    image = read_images(file)["a"]
    assert image.env == {"PATH": PATH, "B": "c"}
    assert image.argv(("/x",), ("z",)) == ["y", "z"]
