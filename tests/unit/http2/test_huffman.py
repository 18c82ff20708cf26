import hpack.huffman
import pytest
from hpack.exceptions import HPACKError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given
from hypothesis import strategies as st

from adapter.http2.huffman import is_huffman, may_hold_control

ENCODER = hpack.huffman.HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary(max_size=40))
def test_whatever_was_encoded_is_huffmans_code(text: bytes) -> None:
    assert is_huffman(ENCODER.encode(text))


@given(st.binary(max_size=12))
@example(b"\xff")
@example(b"\xff" * 4)
@example(b"\x00")
def test_what_can_be_decoded_is_huffmans_code(code: bytes) -> None:
    try:
        decode_huffman(code)
    except HPACKError:
        assert not is_huffman(code)
    else:
        assert is_huffman(code)


@given(st.binary(max_size=12), st.sampled_from([b"\0", b"\r", b"\n"]), st.binary(max_size=12))
def test_no_control_character_is_overlooked(before: bytes, control: bytes, after: bytes) -> None:
    assert may_hold_control(ENCODER.encode(before + control + after))


@pytest.mark.parametrize("text", [b"application/json", b"4bf92f3577b34da6"])
def test_common_texts_are_not_suspected(text: bytes) -> None:
    assert not may_hold_control(ENCODER.encode(text))
