import json
import logging

import pytest

from adapter.telemetry import logs


@pytest.fixture(autouse=True)
def _put_back() -> object:
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    yield None
    root.handlers[:], root.level = kept, level


def test_a_json_line_has_the_sentence_and_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="info", form="json")
    logging.getLogger("adapter.x").info("model loaded", extra={"model": "iris", "took_s": 0.8})
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "model loaded"
    assert (line["level"], line["logger"], line["model"], line["took_s"]) == (
        "INFO",
        "adapter.x",
        "iris",
        0.8,
    )


def test_a_text_line_ends_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="info", form="text")
    logging.getLogger("adapter.x").info("model loaded", extra={"model": "iris"})
    assert capsys.readouterr().err.endswith("adapter.x: model loaded (model=iris)\n")


def test_the_s3_library_cannot_put_its_debug_lines_into_the_log() -> None:
    logs.configure(level="debug", form="text")
    assert not logging.getLogger("botocore").isEnabledFor(logging.DEBUG)
