"""A disk that fails under load, and a database that is damaged while it is in use: a state, said in one line.

The calls of a gateway on its database fail by a library that is preloaded (`faults.c`): the disk is full, it
has been mounted again for reading only, or it gives I/O errors.
"""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.chaos.test_kill import arrived, judge, write_messages
from tests.harness import (
    Platform,
    Process,
    Receiver,
    account,
    endpoint,
    free_port,
    receiver,
    sandbox,
    write_config,
)
from tests.storage.test_copies import damage

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for the library of faults"),
]
FAILING = [("write", errno.ENOSPC), ("write", errno.EROFS), ("write", errno.EIO), ("read", errno.EIO)]
STOP_SECONDS = 10.0


class Faults:
    """Makes the calls of gateways fail that are started with `environment`."""

    def __init__(self, directory: Path) -> None:
        self._told = directory / "faults"
        library = directory / "faults.so"
        source = Path(__file__).with_name("faults.c")
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS": str(self._told)}

    @contextlib.contextmanager
    def failing(self, kind: str, number: int) -> Iterator[None]:
        part = self._told.with_name("part")
        part.write_text(f"{kind} {number}")
        part.replace(self._told)
        try:
            yield
        finally:
            self._told.unlink(missing_ok=True)


async def readiness(process: Process, status: int, seconds: float = 20) -> str:
    with trio.fail_after(seconds):
        while True:
            answer = await process.client.http.get("/readyz")
            if answer.status_code == status:
                return answer.text
            await trio.lowlevel.checkpoint()


def gateway_of(directory: Path, platform: Platform, inbox: Receiver) -> Process:
    port = free_port()
    more = account() + endpoint(inbox.url) + platform.sandbox.config()
    return Process(write_config(directory, port=port, more=more), port)


async def begin(process: Process, faults: Faults) -> None:
    await process.start_with(faults.environment)
    with trio.fail_after(20):
        while not process.log.exists() or "listening on" not in process.log.read_text():
            await trio.sleep(0.02)


@pytest.mark.parametrize(("kind", "number"), FAILING, ids=lambda value: str(value))
async def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path: Path, kind: str, number: int) -> None:
    count, faults = 300, Faults(tmp_path)
    async with sandbox() as platform, receiver() as inbox:
        process = gateway_of(tmp_path, platform, inbox)
        await begin(process, faults)
        try:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_messages, platform, count)
                await inbox.until(lambda: arrived(inbox) > 30, 30)
                with faults.failing(kind, number):
                    assert "storage is unavailable" in await readiness(process, 503)
                    assert (await process.client.http.get("/healthz")).status_code == 200
                    await trio.sleep(1)
                await readiness(process, 200)
            await inbox.until(lambda: arrived(inbox) == count, 60)
            judge(inbox, count)
            assert await process.stop() == 0
        finally:
            await process.kill()
        said = process.log.read_text()
        assert "Traceback" not in said
        assert said.count("storage unavailable,") + said.count("storage cannot be read") <= 3


async def test_a_stop_with_a_full_disk_ends_in_time(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    async with sandbox() as platform, receiver() as inbox:
        process = gateway_of(tmp_path, platform, inbox)
        await begin(process, faults)
        try:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            with faults.failing("write", errno.ENOSPC):
                await platform.write("not recorded")
                await readiness(process, 503)
                began = trio.current_time()
                await process.stop()
                assert trio.current_time() - began < STOP_SECONDS
            assert "stopped without writing" in process.log.read_text()
            await begin(process, faults)
            await inbox.until(lambda: arrived(inbox) == 1, 30)
        finally:
            await process.kill()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
async def test_a_start_on_a_disk_that_takes_nothing_says_so_in_one_line(tmp_path: Path, number: int) -> None:
    faults, port = Faults(tmp_path), free_port()
    process = Process(write_config(tmp_path, port=port), port)
    await process.start()
    assert await process.stop() == 0
    process.log.unlink()
    with faults.failing("write", number):
        await process.start_with(faults.environment)
        assert await process.ended() == 1
    [line] = process.log.read_text().splitlines()
    assert line.startswith("error: ")
    assert "unifyport.db" in line


@pytest.mark.parametrize("part", [0.01, 0.3])
async def test_a_database_damaged_in_use_is_said_refused_and_restored(tmp_path: Path, part: float) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "unifyport", *arguments, "-c", str(process.config)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(line, capture_output=True, text=True, env=environment, check=False)

    database = tmp_path / "unifyport.db"
    async with sandbox() as platform, receiver() as inbox:
        process = gateway_of(tmp_path, platform, inbox)
        await process.start()
        try:
            await write_messages(platform, 300)
            await inbox.until(lambda: arrived(inbox) == 300, 60)
            done = command("backup", str(tmp_path / "backup.db"))
            assert done.returncode == 0, done.stderr
            assert command("doctor", "--deep").returncode == 0
            assert await process.stop() == 0
            await process.start()
            damage(database, part, 5)
            with trio.move_on_after(20):
                for number in range(20):
                    await platform.write(f"after the damage {number}")
                while (await process.client.http.get("/readyz")).status_code == 200:
                    await trio.lowlevel.checkpoint()
            assert (await process.client.http.get("/healthz")).status_code == 200
            began = trio.current_time()
            await process.stop()
            assert trio.current_time() - began < STOP_SECONDS
        finally:
            await process.kill()
        assert "Traceback" not in process.log.read_text()
        assert command("doctor", "--deep").returncode == 1
        assert command("restore", str(tmp_path / "backup.db")).returncode == 0
        process.log.unlink()
        await process.start()
        await inbox.until(lambda: arrived(inbox) == 320, 60)
        assert await process.stop() == 0
