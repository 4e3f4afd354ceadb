"""Generators and linters take the OpenAPI document whole, and the clients that they write call the server.

Each client does the same with a Telegram bot and says what it got; it is compiled as strictly as its language
can.
"""

import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

from tests.harness import KEY, account, gateway, sandbox, settings_of
from unifyport.api.app import ROUTES
from unifyport.api.http.openapi import document

from . import peers

pytestmark = pytest.mark.interop

HERE = Path(__file__).with_name("openapi")
OPERATIONS = [route.operation_id for route in ROUTES]
EVENTS = [each["post"]["operationId"] for each in document(ROUTES)["webhooks"].values()]
GENERATOR = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
SAID = {
    "provider": "telegram",
    "metadata": {},
    "removed": 204,
    "outcome": "sent",
    "code": "conversation_not_found",
    "reason": "conversation_not_found",
    "said": "Bad Request: chat not found",
    "event": "hello from a customer",
}


@attrs.define
class Running:
    url: str
    document: Path


@contextlib.asynccontextmanager
async def server(directory: Path) -> AsyncIterator[Running]:
    """A gateway with one bot, to which a customer has written, and its document as it serves it."""
    async with sandbox() as platform:
        folder = directory / "gateway"
        folder.mkdir()
        async with gateway(settings_of(folder, account() + platform.sandbox.config())) as api:
            await platform.write("hello from a customer", 7)
            await api.until(lambda page: page["items"], "/v1/events?type=message.received")
            path = directory / "openapi.json"
            path.write_bytes((await api.http.get("/openapi.json")).content)
            yield Running(str(api.http.base_url).rstrip("/"), path)


async def run(*command: str, cwd: Path, **environment: str) -> str:
    """What a program writes to its standard output; it must end well."""
    done = await trio.run_process(
        command,
        cwd=cwd,
        env=peers.environment() | environment,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, (output + done.stderr.decode())[-8000:]
    return output


async def test_openapi_python_client(tmp_path: Path) -> None:
    python = peers.python(HERE / "python" / "requirements.in")
    async with server(tmp_path) as running:
        generate = ["generate", "--path", str(running.document), "--output-path", "generated"]
        options = ["--meta", "none", "--fail-on-warning", "--config", str(HERE / "python" / "config.yaml")]
        await run(str(python.with_name("openapi-python-client")), *generate, *options, cwd=tmp_path)
        modules = {path.stem for path in (tmp_path / "generated" / "api").glob("*/*.py")} - {"__init__"}
        assert modules == {_snake(operation) for operation in OPERATIONS}
        client = str(HERE / "python" / "client.py")
        said = await run(str(python), client, running.url, KEY, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert json.loads(said) == SAID


async def test_openapi_typescript(tmp_path: Path) -> None:
    tools = peers.node(HERE / "node") / "node_modules"
    (tmp_path / "node_modules").symlink_to(tools)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(HERE / "node" / "client.ts", tmp_path)
    (tmp_path / "all.ts").write_text(_all_operations())
    strict = [
        "--strict",
        "--noUncheckedIndexedAccess",
        "--exactOptionalPropertyTypes",
        "--skipLibCheck",
        "false",
    ]
    modern = ["--target", "es2022", "--module", "nodenext", "--types", "node", "--outDir", "out"]
    async with server(tmp_path) as running:
        await run(
            str(tools / ".bin" / "openapi-typescript"), str(running.document), "-o", "api.d.ts", cwd=tmp_path
        )
        types = (tmp_path / "api.d.ts").read_text().replace("export type $defs = Record<string, never>;", "")
        assert "Record<string, never>" not in types  # it would be an object that has no field at all
        await run(str(tools / ".bin" / "tsc"), *strict, *modern, "client.ts", "all.ts", cwd=tmp_path)
        said = await run("node", "out/client.js", running.url, KEY, cwd=tmp_path)
    assert json.loads(said) == SAID


async def test_oapi_codegen(tmp_path: Path) -> None:
    source, program = HERE / "go", peers.go()
    tool = peers.go_tool(source, GENERATOR)
    for name in ("go.mod", "go.sum", "main.go"):
        shutil.copy(source / name, tmp_path)
    made = tmp_path / "api" / "api.go"
    made.parent.mkdir()
    async with server(tmp_path) as running:
        await run(
            tool,
            "-config",
            str(source / "oapi-codegen.yaml"),
            "-o",
            str(made),
            str(running.document),
            cwd=tmp_path,
        )
        methods = set(
            re.findall(
                r"^func \(c \*ClientWithResponses\) (\w+?)(?:WithBody)?WithResponse\(", made.read_text(), re.M
            )
        )
        assert methods == {operation[0].upper() + operation[1:] for operation in OPERATIONS}
        await run(program, "vet", "./...", cwd=tmp_path)
        said = await run(program, "run", ".", running.url, KEY, cwd=tmp_path)
    assert json.loads(said) == SAID


async def test_redocly_and_spectral_find_nothing(tmp_path: Path) -> None:
    tools = peers.node(HERE / "node") / "node_modules" / ".bin"
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document(ROUTES)))
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    found = await run(str(tools / "redocly"), "lint", "--format", "json", str(path), cwd=tmp_path, **quiet)
    totals = json.loads(found)["totals"]
    assert (totals["errors"], totals["warnings"], totals["ignored"]) == (0, 0, 0)
    rules = ["--ruleset", str(HERE / "node" / "spectral.yaml"), "--fail-severity", "hint"]
    await run(str(tools / "spectral"), "lint", *rules, str(path), cwd=tmp_path)


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", operation).lower()


def _all_operations() -> str:
    """A module that compiles if the generated types have exactly these operations."""
    names = json.dumps([*OPERATIONS, *EVENTS])
    return f"""import type {{ operations }} from "./api.js";
const all = {names} as const satisfies readonly (keyof operations)[];
type Other = Exclude<keyof operations, (typeof all)[number]>;
export const none: [Other] extends [never] ? true : false = true;
"""
