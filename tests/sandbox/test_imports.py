"""In a fresh interpreter: no sandbox module or declaration imports a connector, an actor or a store."""

import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unifyport.providers
import unifyport.sandbox

SHELL = re.compile(r"unifyport\.providers\.\w+\.\w+\.connector|actors(\..*)?|unifyport\.storage(\..*)?")

SANDBOX = [module.name for module in pkgutil.walk_packages(unifyport.sandbox.__path__, "unifyport.sandbox.")]
DECLARATIONS = [
    "unifyport.providers.registry",
    *(
        f"unifyport.providers.{module.name}"
        for module in pkgutil.iter_modules(unifyport.providers.__path__)
        if module.ispkg and module.name != "contract"
    ),
]


def shells_after(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [name for name in json.loads(done.stdout) if SHELL.fullmatch(name)]


def test_the_lists_are_not_empty() -> None:
    assert {
        "unifyport.sandbox.control",
        "unifyport.sandbox.telegram.bot",
        "unifyport.sandbox.whatsapp.cloud",
    } <= set(SANDBOX)
    assert {"unifyport.providers.telegram", "unifyport.providers.whatsapp"} <= set(DECLARATIONS)


def test_a_shell_would_be_found() -> None:
    assert shells_after("import unifyport.providers.telegram.bot.connector") == [
        "unifyport.providers.telegram.bot.connector"
    ]
    assert "actors.account" in shells_after("import actors.account.actor")


@pytest.mark.parametrize("modules", [SANDBOX, DECLARATIONS], ids=["sandbox", "declarations"])
def test_importing_them_imports_no_shell(modules: list[str]) -> None:
    assert shells_after("\n".join(f"import {module}" for module in modules)) == []


def test_serving_the_sandbox_of_the_registry_imports_no_shell() -> None:
    code = (
        "from unifyport.providers.registry import standard\nfrom unifyport.sandbox.control import Sandbox\n"
        "assert len(Sandbox(standard().channels.values()).platforms) >= 2"
    )
    assert shells_after(code) == []
