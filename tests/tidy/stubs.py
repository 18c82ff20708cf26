"""Generates `adapter/stubs` from `protos/`: `make stubs`.

With `--check` it changes nothing, and says whether what is committed is fresh.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
STUBS = Path("adapter/stubs")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generate(into: Path) -> None:
    """Write all that is generated below `into`, as it lies below the root of the repository."""
    commands = Path(sys.executable).parent
    names = sorted(str(STUBS / proto.relative_to(PROTOS)) for proto in PROTOS.rglob("*.proto"))
    protoc = [
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{STUBS}={PROTOS}"),
        *(f"--{kind}_out={into}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")),
        *(f"--plugin=protoc-gen-{kind}={commands}/protoc-gen-{kind}" for kind in ("mypy", "mypy_grpc")),
    ]
    done = subprocess.run([*protoc, *names], cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"protoc refuses what is in protos/:\n{done.stderr}")
    for package in sorted({(into / name).parent for name in names}):
        (package / "__init__.py").touch()


def generated_below(root: Path) -> dict[str, bytes]:
    """What is generated there, by its path below `adapter/stubs`."""
    stubs = root / STUBS
    files = {path for pattern in GENERATED for path in stubs.rglob(pattern)}
    files |= set(stubs.glob("*/**/__init__.py"))
    return {str(path.relative_to(stubs)): path.read_bytes() for path in sorted(files)}


def differences(committed: dict[str, bytes], fresh: dict[str, bytes]) -> list[str]:
    """What is wrong with the committed files, one line each."""
    missing = [f"{name} is missing" for name in fresh.keys() - committed.keys()]
    left_over = [f"{name} is not generated any more; delete it" for name in committed.keys() - fresh.keys()]
    stale = [
        f"{name} is not what protos/ says"
        for name in fresh
        if committed.get(name, fresh[name]) != fresh[name]
    ]
    return sorted([*missing, *left_over, *stale])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tidy.stubs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if they are not fresh")
    asked = parser.parse_args(arguments)
    if not asked.check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        wrong = differences(generated_below(ROOT), generated_below(Path(folder)))
    if wrong:
        sys.stderr.write("adapter/stubs is not fresh; run `make stubs`:\n  " + "\n  ".join(wrong) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
