"""`webhooks` and `listen` as people type them, against a running server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli.test_commands import unifyport
from tests.harness import Process, account, endpoint, free_port, receiver, sandbox, write_config

Command = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


def in_thread(directory: Path) -> Command:
    async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await trio.to_thread.run_sync(lambda: unifyport(*arguments, cwd=directory))

    return command


async def test_endpoints_are_shown_tested_paused_and_replayed(tmp_path: Path) -> None:
    answers: dict[str, int] = {"poison": 422}
    command = in_thread(tmp_path)

    async def data(*arguments: str) -> Any:
        done = await command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async with (
        sandbox() as platform,
        receiver(lambda event: answers.get(event.get("text", ""), 204)) as inbox,
    ):
        port = free_port()
        hook = endpoint(inbox.url, name="crm", events='["message.received"]')
        process = Process(
            write_config(tmp_path, port=port, more=account() + hook + platform.sandbox.config()), port
        )
        await process.start()
        try:
            await platform.write("poison")
            await platform.write("fine")
            await inbox.until(lambda: inbox.of("message.received"))
            with trio.fail_after(10):
                while not (dead := await data("webhooks", "deliveries", "crm", "--status", "dead")):
                    pass
            table = (await command("webhooks", "deliveries", "crm")).stdout
            assert all(word in table for word in (dead[0]["id"], "422", "delivered", "message.received"))
            listed = (await command("webhooks", "list")).stdout
            assert all(word in listed for word in ("crm", inbox.url, "active", "closed"))
            answers.clear()
            assert await data("webhooks", "replay", "crm") == {"replayed": 1, "already_owed": 0}
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            again = await data("webhooks", "replay", inbox.url, "--log", "--since", "2026-01-01T00:00:00Z")
            assert again["replayed"] >= 1
            refused = await command("webhooks", "retry", dead[0]["id"])
            assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
            assert (await data("webhooks", "pause", "crm"))["status"] == "inactive"
            assert (await command("reload")).returncode == 0
            [paused] = await data("webhooks", "list")
            assert paused["status"] == "inactive"  # until it is resumed
            assert (await data("webhooks", "resume", "crm", "--now"))["status"] == "active"
            assert (await command("webhooks", "test", "nobody")).returncode == 1
            tested = await command("webhooks", "test", "crm")  # this receiver looks at no time
            assert tested.returncode == 1
            assert "verdict: insecure" in tested.stdout
            assert tested.stdout.count("ok  ") == 2
        finally:
            await process.kill()


async def test_status_says_how_to_see_why_an_endpoint_fails(tmp_path: Path) -> None:
    command = in_thread(tmp_path)
    async with sandbox() as platform, receiver(lambda _: 500) as inbox:
        port = free_port()
        more = account() + endpoint(inbox.url, name="crm") + platform.sandbox.config()
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            for each in range(6):
                await platform.write("hello", each + 1)
            with trio.fail_after(60):
                while "failing since" not in (told := (await command("status")).stdout):
                    pass
            assert "webhook endpoint crm: active (failing since" in told
            assert "unifyport webhooks deliveries we_" in told
        finally:
            await process.kill()


@pytest.mark.parametrize("how", ["--json", ""], ids=["json", "text"])
async def test_listen_goes_on_where_it_ended(tmp_path: Path, how: str) -> None:
    async with sandbox() as platform:
        port = free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + platform.sandbox.config()), port)
        await process.start()
        try:
            await platform.write("first")
            shown, cursor = await _listen_for("first", tmp_path, how, "--from-start")
            await platform.write("second")
            shown, _ = await _listen_for("second", tmp_path, how, "--after", cursor)
            assert not any(f"{quote}first{quote}" in shown for quote in "'\"")
        finally:
            await process.kill()


async def test_listen_shows_what_a_customer_wrote_and_obeys_none_of_it(tmp_path: Path) -> None:
    written = "one\u2028two\x85three \x1b[31mred\u202e [b]end"
    async with sandbox() as platform:
        port = free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + platform.sandbox.config()), port)
        await process.start()
        try:
            await platform.write(written)
            shown, _ = await _listen_for("end", tmp_path, "--json", "--from-start")
            [event] = [json.loads(line) for line in shown.splitlines()]
            assert event["text"] == written
            assert not set("\x1b\x85\u2028\u202e") & set(shown)
            shown, _ = await _listen_for("end", tmp_path, "", "--from-start")
            assert "[b]end" in shown
            assert not set("\x1b\x85\u2028\u202e") & set(shown)
        finally:
            await process.kill()


async def test_listen_outlives_a_restart_of_the_gateway(tmp_path: Path) -> None:
    async with sandbox() as platform:
        port = free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + platform.sandbox.config()), port)
        await process.start()
        listening = await _listen(tmp_path, "--from-start", "--type", "message.received")
        try:
            await platform.write("first")
            await _printed(listening, "first")
            assert await process.stop(10) == 0  # a reader of the log does not delay it
            await process.start()
            await platform.write("second")
            assert b"first" not in await _printed(listening, "second")
        finally:
            await process.kill()
        assert "to continue from here: --after" in await _ended(listening, signal.SIGTERM)


async def _listen_for(text: str, directory: Path, how: str, *arguments: str) -> tuple[str, str]:
    """Listen until a text comes, then interrupt: what was printed, and the cursor that was shown."""
    options = [*arguments, "--type", "message.received", *([how] if how else [])]
    process = await _listen(directory, *options)
    shown = await _printed(process, text)
    told = await _ended(process, signal.SIGINT)
    return shown.decode(), told.strip().rpartition(" ")[2]


async def _listen(directory: Path, *options: str) -> trio.Process:
    return await trio.lowlevel.open_process(
        [sys.executable, "-m", "unifyport", "listen", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"},
        preexec_fn=_as_in_a_terminal,
    )


def _as_in_a_terminal() -> None:
    """A suite that a shell runs in the background hands an ignored SIGINT down to its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def _printed(process: trio.Process, text: str) -> bytes:
    assert process.stdout is not None
    shown = b""
    with trio.fail_after(20):
        while text.encode() not in shown:
            shown += await process.stdout.receive_some()
    return shown


async def _ended(process: trio.Process, number: signal.Signals) -> str:
    assert process.stderr is not None
    process.send_signal(number)
    with trio.fail_after(20):
        told = b"".join([chunk async for chunk in process.stderr])
        await process.wait()
    assert b"Traceback" not in told
    return told.decode()


async def test_an_endpoint_is_made_and_a_delivery_shows_what_the_receiver_said(tmp_path: Path) -> None:
    command = in_thread(tmp_path)
    async with sandbox() as platform, receiver(lambda _: 422) as inbox:

        async def refuse() -> tuple[bytes, int]:
            return b'{"error": "no such field"}', 422

        inbox.replace(refuse)
        port = free_port()
        more = account() + platform.sandbox.config()
        more += endpoint(inbox.url, name="declared", events='["message.received"]')
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            made = await command("webhooks", "create", inbox.url, "--event", "message.received", "--json")
            assert made.returncode == 0, made.stderr
            found = json.loads(made.stdout)
            assert len(found["signing_secret"]) >= 32
            assert found["subscribed_events"] == ["message.received"]
            short = await command("webhooks", "create", inbox.url, "--secret", "short")
            assert (short.returncode, "at least 8" in short.stderr) == (2, True)
            await platform.write("hello")
            said = {}
            for name in ("declared", found["id"]):
                with trio.fail_after(10):
                    while True:
                        listed = await command("webhooks", "deliveries", name, "--json")
                        dead = json.loads(listed.stdout)
                        if dead and dead[0]["history"]:
                            break
                said[name] = (await command("webhooks", "show", dead[0]["id"])).stdout
                assert "attempt 1 at " in said[name]
                assert "422" in said[name]
            assert "no such field" in said["declared"]
            assert "no such field" not in said[found["id"]]  # its address is private, and the API made it
        finally:
            await process.kill()


async def test_events_are_forwarded_to_a_receiver_under_development(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = account() + platform.sandbox.config()
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        listening = [
            sys.executable,
            "-m",
            "unifyport",
            "listen",
            "--from-start",
            "--type",
            "message.received",
        ]
        listening += ["--forward-to", inbox.url, "--secret", "receiver-secret"]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        try:
            await platform.write("hello")
            async with trio.open_nursery() as nursery:
                child = await nursery.start(
                    lambda task_status: trio.run_process(
                        listening,
                        cwd=tmp_path,
                        env=env,
                        check=False,
                        capture_stderr=True,
                        stdout=subprocess.DEVNULL,
                        task_status=task_status,
                    )
                )
                await inbox.until(lambda: len(inbox.of("message.received")) == 1)
                await platform.write("again")
                await inbox.until(lambda: len(inbox.of("message.received")) == 2)
                child.send_signal(signal.SIGINT)
            assert inbox.bad_signatures == 0
        finally:
            await process.kill()
