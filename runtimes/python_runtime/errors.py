"""What can go wrong, with its gRPC and HTTP status. The text is for the caller.

RuntimeFault
├── BadRequest         INVALID_ARGUMENT    400   the request does not fit the protocol or the model
├── NotLoaded          NOT_FOUND           404   no model is loaded under this name
├── FilesMissing       NOT_FOUND           404   the folder or the file that should be loaded is not there
├── Corrupt            DATA_LOSS           422   the files are there and cannot be read
├── Unsupported        UNIMPLEMENTED       501   not a format, or a library, that this process has
├── TooBusy            RESOURCE_EXHAUSTED  429   too much waits already, or the memory is used up
├── OutOfTime          DEADLINE_EXCEEDED   504   the caller's time ran out while it waited
└── ModelFailed        INTERNAL            500   the model's own code failed
"""

from typing import ClassVar

import grpc


class RuntimeFault(Exception):
    """The root."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    http_status: ClassVar[int] = 500


class BadRequest(RuntimeFault):
    """The request does not fit the protocol or the model."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    http_status = 400


class NotLoaded(RuntimeFault):
    """No model is loaded under this name."""

    code = grpc.StatusCode.NOT_FOUND
    http_status = 404


class FilesMissing(RuntimeFault):
    """The folder or the file that should be loaded is not there."""

    code = grpc.StatusCode.NOT_FOUND
    http_status = 404


class Corrupt(RuntimeFault):
    """The files are there and cannot be read."""

    code = grpc.StatusCode.DATA_LOSS
    http_status = 422


class Unsupported(RuntimeFault):
    """Not a format, or not a library, that this process has."""

    code = grpc.StatusCode.UNIMPLEMENTED
    http_status = 501


class TooBusy(RuntimeFault):
    """Too much waits already, or the memory is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    http_status = 429


class OutOfTime(RuntimeFault):
    """The caller's time ran out while it waited."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    http_status = 504


class ModelFailed(RuntimeFault):
    """The model's own code failed."""
