"""The gateway and the official SDK are both imported as `unifyport`, and may be in one environment."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import settings_of
from unifyport.cli.doctor import check_packages

ROOT = Path(__file__).parents[2]
OURS = ROOT / "unifyport"
# What the SDK's own file does: it imports modules that are there, and one that is hidden by ours.
INIT_OF_THE_SDK = "from .config import DeviceClientConfig\n__version__ = '9.9.9'\n"


def test_the_command_line_works_with_the_init_of_the_sdk(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "unifyport").mkdir(parents=True)
    for each in OURS.iterdir():
        if each.name != "__init__.py":
            (site / "unifyport" / each.name).symlink_to(each)
    (site / "unifyport" / "__init__.py").write_text(INIT_OF_THE_SDK)
    for package in ("unifyport_gateway", "supervisors", "actors"):
        (site / package).symlink_to(ROOT / package)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from unifyport_gateway import main; main()", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert run("init").returncode == 0
    checked = run("config", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "9.9.9" not in run("--version").stdout


def test_the_doctor_names_the_other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "unifyport_sdk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unifyport-sdk\nVersion: 1.0\n")
    (info / "RECORD").write_text("unifyport/__init__.py,,\nunifyport/client.py,,\n")
    settings = settings_of(tmp_path)
    assert list(check_packages(settings, False)) == []
    monkeypatch.syspath_prepend(str(tmp_path))
    [finding] = check_packages(settings, False)
    assert not finding.good
    assert "unifyport-sdk" in finding.text


def test_nothing_of_ours_needs_the_package_itself() -> None:
    """`from unifyport import name` is only for modules, and `import unifyport` for nothing."""
    modules = {path.stem for path in OURS.iterdir()}
    found = []
    for room in ("unifyport", "unifyport_gateway", "supervisors", "actors"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.ImportFrom(module="unifyport", names=names, level=0):
                        found += [f"{path}: {name.name}" for name in names if name.name not in modules]
                    case ast.Import(names=names):
                        found += [f"{path}: {name.name}" for name in names if name.name == "unifyport"]
    assert found == []
