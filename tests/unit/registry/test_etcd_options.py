import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.registry.etcd_options import BadEtcdOptions, EtcdOptions, EtcdTls, read_etcd_options

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n"
SECRET = "opensesame"


def a_file(folder: Path, **fields: object) -> str:
    """`KV_STORE` for a config file with these fields."""
    path = folder / "etcd_connection"
    path.write_text(json.dumps({"endpoints": "etcd:2379"} | fields))
    return f"etcd:{path}"


@pytest.mark.parametrize(
    ("text", "endpoints", "root_prefix", "has_tls"),
    [
        pytest.param("etcd:2379", ("etcd:2379",), "", False, id="one"),
        pytest.param("a:1,b:2, c:3", ("a:1", "b:2", "c:3"), "", False, id="several"),
        pytest.param("http://a:1,http://b:2/", ("a:1", "b:2"), "", False, id="with a scheme"),
        pytest.param("https://a:1", ("a:1",), "", True, id="with TLS"),
        pytest.param("a:1;rootPrefix=mm/x", ("a:1",), "mm/x", False, id="with a root"),
        pytest.param("a:1;rootPrefix=", ("a:1",), "", False, id="with no root"),
        pytest.param("[::1]:2379", ("[::1]:2379",), "", False, id="IPv6"),
        pytest.param("unix:/run/r.sock;rootPrefix=x", ("unix:/run/r.sock",), "x", False, id="a socket"),
        pytest.param("a:1,a:1", ("a:1",), "", False, id="one twice"),
    ],
)
def test_an_inline_text_is_read(
    text: str, endpoints: tuple[str, ...], root_prefix: str, has_tls: bool
) -> None:
    options = read_etcd_options(f"etcd:{text}")
    tls = EtcdTls() if has_tls else None
    assert options == EtcdOptions(endpoints=endpoints, root_prefix=root_prefix, tls=tls)


@pytest.mark.parametrize(
    ("kv_store", "complaint"),
    [
        pytest.param("zookeeper:zk:2181", "'zookeeper' is not supported", id="ZooKeeper"),
        pytest.param("etcd:", "no endpoint", id="nothing"),
        pytest.param("etcd:,", "no endpoint", id="nothing but a comma"),
        pytest.param("etcd:/no/such/file", "no file /no/such/file", id="a file that is not there"),
        pytest.param("etcd:hostonly", "'hostonly' is neither HOST:PORT nor a file", id="no port"),
        pytest.param("etcd:host:0", "neither HOST:PORT", id="port 0"),
        pytest.param("etcd:host:65536", "neither HOST:PORT", id="port too large"),
        pytest.param("etcd:http://host:1/path", "neither HOST:PORT", id="a path"),
        pytest.param("etcd:ftp://host:1", "http:// or https://, not 'ftp'", id="another scheme"),
        pytest.param("etcd:host:1;root=x", "not 'root'", id="another setting"),
        pytest.param("etcd:host:1;rootPrefix", "not 'rootPrefix'", id="a setting without value"),
        pytest.param("etcd:unix:", "names no socket", id="no socket"),
        pytest.param(f"etcd:http://me:{SECRET}@host:1", "userid and password", id="a password in a URL"),
    ],
)
def test_an_inline_text_that_is_wrong_is_named(kv_store: str, complaint: str) -> None:
    with pytest.raises(BadEtcdOptions, match="KV_STORE") as caught:
        read_etcd_options(kv_store)
    assert complaint in str(caught.value)
    assert SECRET not in str(caught.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        options = read_etcd_options(f"etcd:{text}")
    except BadEtcdOptions:
        return
    assert options.endpoints


def test_a_file_is_read(tmp_path: Path) -> None:
    kv_store = a_file(
        tmp_path,
        endpoints="https://a:1,https://b:2",
        userid="me",
        password=SECRET,
        root_prefix="modelmesh-serving/mm_ns/x",
        certificate=PEM,
        client_certificate=PEM,
        client_key=KEY,
        override_authority="etcd.local",
        compose_deployment="old",
    )
    tls = EtcdTls(
        authority=PEM.encode(),
        client_certificate=PEM.encode(),
        client_key=KEY.encode(),
        override_authority="etcd.local",
    )
    options = read_etcd_options(kv_store)
    assert options == EtcdOptions(
        endpoints=("a:1", "b:2"),
        root_prefix="modelmesh-serving/mm_ns/x",
        userid="me",
        password=SECRET,
        tls=tls,
    )
    assert SECRET not in repr(options)
    assert "hidden" not in repr(options)


@pytest.mark.parametrize(
    ("fields", "has_tls"),
    [
        pytest.param({"endpoints": "https://a:1"}, True, id="https"),
        pytest.param({"endpoints": "https://a:1", "tls_mode": "PLAINTEXT"}, False, id="https, but plaintext"),
        pytest.param({"endpoints": "a:1"}, False, id="no scheme, no certificate"),
        pytest.param({"endpoints": "a:1", "certificate": PEM}, True, id="no scheme, and a certificate"),
        pytest.param({"endpoints": "a:1", "client_certificate": PEM, "client_key": KEY}, True, id="client's"),
        pytest.param({"endpoints": "http://a:1", "certificate": PEM}, False, id="http, and a certificate"),
        pytest.param({"endpoints": "http://a:1", "tls_mode": "TLS"}, True, id="http, but TLS"),
        pytest.param({"endpoints": "a:1", "tls_mode": "auto"}, False, id="auto, in lower case"),
        pytest.param({"endpoints": "unix:/r.sock", "certificate": PEM}, False, id="a socket"),
        pytest.param({"endpoints": "a:1", "certificate": " "}, False, id="an empty certificate"),
    ],
)
def test_when_tls_is_used(tmp_path: Path, fields: dict[str, str], has_tls: bool) -> None:
    assert (read_etcd_options(a_file(tmp_path, **fields)).tls is not None) is has_tls


def test_files_are_found_where_they_are_named_and_beside_the_config(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "ca.crt").write_text(PEM)
    (tmp_path / "tls.crt").write_text(PEM)
    (elsewhere / "tls.key").write_text(KEY)
    options = read_etcd_options(
        a_file(
            tmp_path,
            certificate="not used",
            certificate_file="ca.crt",
            client_certificate_file="tls.crt",
            client_key_file=str(elsewhere / "tls.key"),
        )
    )
    assert options.tls == EtcdTls(
        authority=PEM.encode(), client_certificate=PEM.encode(), client_key=KEY.encode()
    )


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"endpoints": None}, "endpoints: no endpoint", id="no endpoints"),
        pytest.param({"endpoints": ["a:1"]}, "endpoints is to be a string, not a list", id="a list"),
        pytest.param({"endpoints": "a"}, "endpoints: 'a' is neither", id="no port"),
        pytest.param(
            {"tls_mode": "MAYBE"}, "tls_mode is one of TLS, PLAINTEXT, AUTO, not 'MAYBE'", id="mode"
        ),
        pytest.param({"certificate": SECRET}, "certificate is not PEM", id="no PEM"),
        pytest.param(
            {"certificate_file": "ca.crt"}, "certificate_file: there is no file ca.crt", id="no file"
        ),
        pytest.param({"certificate_file": "."}, "certificate_file: . cannot be read", id="a folder"),
        pytest.param({"client_key": KEY}, "a client_key, and no client_certificate", id="no certificate"),
        pytest.param({"client_certificate": PEM}, "a client_certificate, and no client_key", id="no key"),
        pytest.param({"password": SECRET}, "there is a password, and no userid", id="nobody"),
        pytest.param({"userid": "me", "password": 7}, "password is to be a string, not a int", id="a number"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_field(
    tmp_path: Path, fields: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BadEtcdOptions, match="etcd_connection: ") as caught:
        read_etcd_options(a_file(tmp_path, **fields))
    assert complaint in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b'{"password": "opensesame"\n', "line 2: this is no JSON", id="cut off"),
        pytest.param(b'["a:1"]', "a JSON object", id="a list"),
        pytest.param(b"\xff\xfe", "it is not UTF-8", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "etcd_connection"
    path.write_bytes(content)
    with pytest.raises(BadEtcdOptions, match=complaint) as caught:
        read_etcd_options(f"etcd:{path}")
    assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)
