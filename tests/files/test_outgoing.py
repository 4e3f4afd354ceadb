"""Files on their way out, on the disk: what is kept, for how long, and what a kill leaves behind."""

import contextlib
import os
from pathlib import Path

import pytest
import trio

from unifyport.config.settings import Media
from unifyport.files.outgoing import FileRefused, OutgoingFiles, Sink
from unifyport.net.clients import ssl_context
from unifyport.net.guard import AddressGuard, Resolver
from unifyport.process.clock import Clock


class Time:
    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


def new(directory: Path, clock: Time, **limits: float) -> OutgoingFiles:
    settings = Media(**limits)  # type: ignore[arg-type]
    return OutgoingFiles(
        directory / "out",
        settings,
        guard=AddressGuard(Resolver()),
        context=ssl_context(),
        clock=Clock.without_steps(clock),
    )


async def feed(sink: Sink) -> None:
    await sink(b"content")


async def test_an_upload_outlives_the_process_and_ends_with_its_time(tmp_path: Path) -> None:
    clock = Time()
    upload = await new(tmp_path, clock, upload_lifetime=100.0).keep("a.txt", "", feed)
    assert (upload.mime_type, upload.size) == ("text/plain", 7)
    files = new(tmp_path, clock, upload_lifetime=100.0)
    file = await files.of_key(upload.key, 7)
    assert await trio.Path(file.path).read_bytes() == b"content"
    clock.now += 100_000
    with pytest.raises(FileRefused) as refused:
        await files.of_key(upload.key, 7)
    assert refused.value.reason == "unknown_file_key"
    await files.tidy()
    assert len(os.listdir(tmp_path / "out")) == 2  # whoever sends it just now has begun to read it
    clock.now += 61_000
    await files.tidy()
    assert os.listdir(tmp_path / "out") == []


async def test_what_a_kill_has_left_is_tidied_away_once_it_is_old(tmp_path: Path) -> None:
    clock = Time()
    files = new(tmp_path, clock)
    upload = await files.keep("a", "", feed)
    (tmp_path / "out" / f"{upload.key}.json").unlink()  # killed before it was described
    (tmp_path / "out" / "fetched_0").write_bytes(b"x")
    now = Path(tmp_path / "out" / "fetched_0").stat().st_mtime
    clock.now = int(now * 1000)
    await files.tidy()
    assert len(os.listdir(tmp_path / "out")) == 2
    clock.now += 3_700_000
    await files.tidy()
    assert os.listdir(tmp_path / "out") == []


async def test_many_at_once_keep_to_the_quota_together(tmp_path: Path) -> None:
    files, kept = new(tmp_path, Time(), max_uploads=150), []

    async def slowly(sink: Sink) -> None:
        for _ in range(5):
            await sink(bytes(10))
            await trio.lowlevel.checkpoint()

    async def upload() -> None:
        with contextlib.suppress(FileRefused):
            kept.append(await files.keep("a", "", slowly))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(upload)
    held = sum(file.stat().st_size for file in (tmp_path / "out").iterdir() if not file.suffix)
    assert held == 50 * len(kept) <= 150
    for upload_ in kept:
        (tmp_path / "out" / f"{upload_.key}.json").unlink()
        (tmp_path / "out" / upload_.key).unlink()
    await files.tidy()
    await files.keep("a", "", slowly)  # what was refused holds nothing


async def test_a_full_disk_is_a_refusal_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileRefused) as refused:
        await new(tmp_path, Time()).keep("a", "", feed)
    assert refused.value.reason == "disk"
    assert [name for name in os.listdir(tmp_path / "out") if not name.endswith(".part")] == []
