from pathlib import Path

from tests.tidy.stubs import PROTOS, ROOT, differences, generated_below


def test_every_proto_has_its_stubs() -> None:
    names = {str(proto.relative_to(PROTOS).with_suffix("")) for proto in PROTOS.rglob("*.proto")}
    kinds = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
    expected = {f"{name}{kind}" for name in names for kind in kinds}
    packages = {str(Path(name).parent / "__init__.py") for name in names}
    assert set(generated_below(ROOT)) == expected | packages


def test_what_is_not_fresh_is_named() -> None:
    fresh = {"a_pb2.py": b"new", "b_pb2.py": b"same", "d_pb2.py": b"more"}
    committed = {"a_pb2.py": b"old", "b_pb2.py": b"same", "c_pb2.py": b"gone"}
    assert differences(committed, fresh) == [
        "a_pb2.py is not what protos/ says",
        "c_pb2.py is not generated any more; delete it",
        "d_pb2.py is missing",
    ]
