"""The generated modules are those of the .proto files."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROTOCOLS = ROOT / "unifyport" / "protocols"


def test_no_proto_changed_since_its_module_was_made() -> None:
    lines = (PROTOCOLS / "protobuf.sha256").read_text().splitlines()
    made = {name: digest for digest, name in (line.split() for line in lines)}
    now = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(PROTOCOLS.glob("*/*.proto"))
    }
    assert made == now, "run scripts/protobuf"


def test_the_compiler_makes_the_same_modules(tmp_path: Path) -> None:
    python = os.environ.get("PROTOC_PYTHON", sys.executable)
    has_compiler = subprocess.run([python, "-c", "import grpc_tools"], capture_output=True).returncode == 0
    if not has_compiler:
        pytest.skip("grpcio-tools is not installed (PROTOC_PYTHON names a Python that has it)")
    subprocess.run(
        [ROOT / "scripts" / "protobuf", tmp_path], check=True, env=os.environ | {"PROTOC_PYTHON": python}
    )
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2.py*")}
    assert made == {path.relative_to(ROOT): path.read_bytes() for path in PROTOCOLS.glob("*/*_pb2.py*")}
