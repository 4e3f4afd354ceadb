"""How commands find a server that runs, without the whole file and its secrets; and what `serve` says."""

import logging
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from tests.harness import BOT, account, endpoint, gateway, receiver, sandbox, settings_of
from unifyport.cli import main
from unifyport.version import VERSION


async def run(*arguments: str) -> Result:
    return await trio.to_thread.run_sync(lambda: CliRunner().invoke(main, arguments))


async def test_a_half_edited_file_a_variable_or_a_socket_leads_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = tmp_path / "unifyport.toml"
    async with gateway(settings_of(tmp_path, '[storage]\nurl = "sqlite:///my.db"\n')):
        (tmp_path / "master.key").rename(elsewhere / "master.key")  # no secret is needed
        file.write_text(file.read_text() + "[[accounts]]\nname = \nproviedr")
        monkeypatch.chdir(elsewhere)
        missing = await run("status")
        assert (missing.exit_code, "name the file (-c, UNIFYPORT_CONFIG)" in missing.stderr) == (2, True)
        found = await run("status", "-c", str(file))
        assert (found.exit_code, "0 accounts" in found.stdout) == (0, True), found.output
        found = await run("status", "--socket", str(tmp_path / "my.db.sock"))
        assert (found.exit_code, "0 accounts" in found.stdout) == (0, True), found.output
        monkeypatch.setenv("UNIFYPORT_CONFIG", str(file))
        found = await run("status")
        assert (found.exit_code, "0 accounts" in found.stdout) == (0, True), found.output


async def test_the_quarantine_by_commands(tmp_path: Path) -> None:
    file = str(tmp_path / "unifyport.toml")
    async with sandbox() as platform, receiver() as inbox:
        events = '["message.received", "provider.event"]'
        more = account() + endpoint(inbox.url, events=events) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await platform.write("before")
            for number in range(3):
                await platform.post("updates", {"to": BOT, "update": {"never_seen": {"number": number}}})
            page = await api.until(lambda found: len(found["items"]) == 3, "/v1/quarantine")
            ids = [each["id"] for each in page["items"]]
            listed = await run("quarantine", "list", "--account", "bot", "--limit", "2", "-c", file)
            assert [id_ in listed.stdout for id_ in ids] == [True, True, False]
            assert "there are more" in listed.stdout
            shown = await run("quarantine", "show", ids[2], "-c", file)
            assert '"number":0' in shown.stdout.replace(" ", "")
            released = await run("quarantine", "release", ids[2], "-c", file)
            assert (released.exit_code, f"{ids[2]} is released" in released.stdout) == (0, True)
            await inbox.until(lambda: len(inbox.of("provider.event")) == 1)
            assert "1 purged" in (await run("quarantine", "purge", ids[1], "-c", file)).stdout
            assert (await run("quarantine", "purge", "-c", file)).exit_code == 2
            assert "1 purged" in (await run("quarantine", "purge", "--all", "-c", file)).stdout
            gone = await run("quarantine", "show", ids[0], "-c", file)
            assert (gone.exit_code, gone.stdout) == (1, "")


async def test_a_start_says_where_and_what_there_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "unifyport.server"):
        async with gateway(settings_of(tmp_path)) as api:
            url = f"http://127.0.0.1:{api.port}"
    [said] = [record for record in caplog.records if "listens on" in record.getMessage()]
    shown = said.__dict__
    assert said.getMessage() == f"UnifyPort {VERSION} listens on {url}"
    assert (shown["addresses"], shown["docs"]) == (url, f"{url}/docs")
    assert shown["database"] == str(tmp_path / "unifyport.db")
    assert (shown["accounts"], shown["webhook_endpoints"], shown["api_keys"]) == (0, 0, 1)
    assert shown["next"].startswith("make an account: ")
