"""The form of a log line: a constant sentence with fields, as JSON for machines or as text for people.

A line is written as `log.info("model loaded", extra={"model": model, "took_s": 0.8})`: the sentence never
varies, so that it can be searched for, and all that varies is a field.
"""

import logging
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["json", "text"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextFormatter(logging.Formatter):
    """`12:00:01 INFO  adapter.instance.loader: model loaded (model=iris, took_s=0.8)`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-5s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        line = super().formatMessage(record)
        fields = [f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD]
        return f"{line} ({', '.join(fields)})" if fields else line


def configure(*, level: str, form: LogFormat) -> None:
    """Send every log line of this process to standard error in one form. `level` is logging's name for it."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # They tell each retry at DEBUG, with headers: not for a log that may be kept.
    for name in ("botocore", "boto3", "urllib3", "s3transfer", "httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
