from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.servers.payload_uris import BadPayloadProcessors, PayloadFilter, parse_processors

INFER = "inference.GRPCInferenceService/ModelInfer"


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        pytest.param("logger://*", PayloadFilter(), id="all"),
        pytest.param("logger:///*?*#*", PayloadFilter(), id="all, said at length"),
        pytest.param("logger://*?iris", PayloadFilter(model="iris"), id="a model"),
        pytest.param("logger://*?/iris", PayloadFilter(model="iris"), id="a model after a slash"),
        pytest.param("logger://*?a%20b", PayloadFilter(model="a b"), id="an encoded name"),
        pytest.param("logger://*#ModelInfer", PayloadFilter(method="ModelInfer"), id="a method"),
        pytest.param(f"logger://*?iris#{INFER}", PayloadFilter(model="iris", method=INFER), id="both"),
    ],
)
def test_a_uri_says_which_calls_are_shown(uri: str, wanted: PayloadFilter) -> None:
    (processor,) = parse_processors(uri)
    assert (processor.name, processor.filter, processor.url) == ("logger", wanted, "")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        pytest.param(PayloadFilter(), True, id="any"),
        pytest.param(PayloadFilter(model="iris"), True, id="the model"),
        pytest.param(PayloadFilter(model="flowers"), True, id="the alias"),
        pytest.param(PayloadFilter(model="ir"), False, id="another model"),
        pytest.param(PayloadFilter(method=INFER), True, id="the method in full"),
        pytest.param(PayloadFilter(method="ModelInfer"), True, id="the method"),
        pytest.param(PayloadFilter(method="Infer"), False, id="a part of its name"),
        pytest.param(PayloadFilter(model="iris", method="ModelReady"), False, id="the model, another method"),
    ],
)
def test_a_filter_fits_the_calls_that_it_names(wanted: PayloadFilter, fits: bool) -> None:
    assert wanted.fits("iris", "flowers", INFER) is fits


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        pytest.param("http://collector:8080/in?iris#ModelInfer", "http://collector:8080/in?iris", id="http"),
        pytest.param("https://collector", "https://collector/", id="https"),
        pytest.param("http://[::1]:8080/in", "http://[::1]:8080/in", id="IPv6"),
    ],
)
def test_payloads_are_posted_to_the_uri_without_its_fragment(uri: str, url: str) -> None:
    (processor,) = parse_processors(uri)
    assert (processor.url, processor.credentials) == (url, None)


def test_credentials_go_into_a_header_and_are_never_told() -> None:
    (processor,) = parse_processors("https://me:s%40cret@collector:8443/token-in-the-path")
    assert processor.credentials == "me:s@cret"
    assert processor.url == "https://collector:8443/token-in-the-path"
    assert processor.name == "https://collector:8443"
    assert "cret" not in repr(processor)
    assert "token" not in repr(processor)


def test_several_are_told_apart_by_spaces() -> None:
    assert [p.name for p in parse_processors(" logger://*  http://a/ ")] == ["logger", "http://a"]
    assert parse_processors("") == []


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        pytest.param("kafka://me:secret@broker", "must begin with", id="unknown scheme"),
        pytest.param("me:secret@collector", "must begin with", id="no scheme"),
        pytest.param("http:///secret", "names no host", id="no host"),
        pytest.param("http://me:secret@host:port", "is no URI", id="no port"),
        pytest.param("http://[secret", "is no URI", id="no address"),
    ],
)
def test_what_cannot_be_used_is_complained_about_without_repeating_it(uri: str, complaint: str) -> None:
    with pytest.raises(BadPayloadProcessors, match=complaint) as caught:
        parse_processors(f"logger://* {uri}")
    assert str(caught.value).startswith("MM_PAYLOAD_PROCESSORS: number 2: ")
    assert "secret" not in str(caught.value)


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(BadPayloadProcessors, match=r"number 1(.|\n)*number 3"):
        parse_processors("ftp://a logger://* http://")


def test_there_are_not_endlessly_many() -> None:
    with pytest.raises(BadPayloadProcessors, match="at most 16"):
        parse_processors("logger://* " * 17)


@given(st.text(max_size=60))
def test_any_text_is_understood_or_complained_about(text: str) -> None:
    with suppress(BadPayloadProcessors):
        assert all(processor.name for processor in parse_processors(f"http://{text}"))
