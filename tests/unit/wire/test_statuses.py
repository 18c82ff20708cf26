from adapter.domain.errors import Code
from adapter.wire.statuses import http_status


def test_every_code_has_an_http_status() -> None:
    assert {http_status(code) for code in Code} == {
        200,
        400,
        401,
        403,
        404,
        409,
        429,
        499,
        500,
        501,
        503,
        504,
    }


def test_who_is_at_fault_can_be_seen_from_the_status() -> None:
    assert http_status(Code.NOT_FOUND) == 404
    assert http_status(Code.UNAVAILABLE) == 503
