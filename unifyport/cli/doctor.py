"""`doctor`: what is wrong with an installation, without changing it.

A check takes the settings and yields findings. It must work beside a server that runs, and when the database
is missing or damaged.
"""

import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import click

from unifyport.config.settings import Settings
from unifyport.storage.contract import StoreUnavailable
from unifyport.storage.sealing import SealError
from unifyport.storage.sqlite import copies
from unifyport.storage.sqlite.marker import Marker, id_of
from unifyport.storage.sqlite.schema import MIGRATIONS
from unifyport.storage.sqlite.trouble import RESTORE, WHAT_TO_DO

from .backup import master_key_place
from .common import FAILED, config_option, console, json_option, load_settings, print_json
from .terminal import escaped

_LEAST_FREE = 0.05  # of the disk
_QUICK_SECONDS = 10.0


@attrs.frozen
class Finding:
    """`good`: nothing has to be done."""

    good: bool
    text: str


Check = Callable[[Settings, bool], Iterator[Finding]]


def check_file(settings: Settings, deep: bool) -> Iterator[Finding]:
    """That the database is there, is the one that was there, and is not damaged."""
    path = settings.database
    try:
        Marker(path).require_database()
    except StoreUnavailable as error:
        yield Finding(False, error.reason)
        return
    if not path.exists():
        yield Finding(True, f"{path} does not exist yet: 'unifyport serve' makes it")
        return
    if found := _damage_of(path, deep):
        for line in found:
            yield Finding(False, f"{path}: {line}")
        yield Finding(False, f"the database is damaged: {RESTORE if deep else WHAT_TO_DO}")
        return
    how = "is whole" if deep else f"has no damage that {_QUICK_SECONDS:.0f} s of looking find (all: --deep)"
    yield Finding(True, f"{path} {how}")


def check_contents(settings: Settings, _: bool) -> Iterator[Finding]:
    """The schema, the key, and what waits for a person."""
    path, ring = settings.database, settings.key_ring
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(_connect(path)) as connection:
            version = int(connection.execute("pragma user_version").fetchone()[0])
            marked, known = Marker(path).read(), id_of(connection)
            check = connection.execute("select value from meta where key = 'ring_check'").fetchone()
            quarantined = int(connection.execute("select count(*) from quarantine").fetchone()[0])
    except (sqlite3.Error, StoreUnavailable) as error:
        yield Finding(False, f"{path} cannot be read: {error}")
        return
    newer = version > len(MIGRATIONS)
    yield Finding(not newer, f"schema {version}; this program knows {len(MIGRATIONS)}")
    if marked is not None and marked != known:
        yield Finding(
            False, f"{path} is not the database that was in use here ('unifyport restore' takes one over)"
        )
    try:
        ring.open("check", ["meta", "ring_check"], check[0] if check is not None else b"")
        yield Finding(True, f"{master_key_place(settings)} opens it")
    except SealError:
        yield Finding(False, f"{master_key_place(settings)} does not open it")
    if quarantined:
        yield Finding(False, f"{quarantined} items of platforms are in quarantine: unifyport quarantine list")


def check_disk(settings: Settings, _: bool) -> Iterator[Finding]:
    """Room to write, and the right to."""
    directory = settings.database.parent
    for path in (directory, settings.database):
        if path.exists() and not os.access(path, os.W_OK):
            yield Finding(
                False, f"{path} cannot be written by this user, as whom 'unifyport serve' would fail"
            )
    media = settings.media_directory
    place = next(each for each in (media, *media.absolute().parents) if each.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield Finding(False, f"{media}, for files of customers, cannot be written by this user")
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(directory)
        free = usage.free / usage.total
        text = f"{free:.0%} of the disk of {directory} is free ({usage.free // 2**20} MiB)"
        yield Finding(free >= _LEAST_FREE, text)


def check_packages(_: Settings, __: bool) -> Iterator[Finding]:
    """That no other package is installed here under our name: the official SDK is imported as `unifyport`."""
    for each in importlib.metadata.distributions():
        name, files = each.metadata["Name"], each.files or []
        if name != "unifyport" and any(str(path) == "unifyport/__init__.py" for path in files):
            text = f"{name} is imported as unifyport, too: install it into another environment"
            yield Finding(False, text)


CHECKS: list[Check] = [check_file, check_contents, check_disk, check_packages]


@click.command()
@click.option("--deep", is_flag=True, help="Read the whole database, and list all damage.")
@config_option
@json_option
@click.pass_context
def doctor(context: click.Context, *, deep: bool, config_path: Path, as_json: bool) -> None:
    """Check the database, its key and its disk, also while the server runs; exit code 1 for a problem."""
    settings = load_settings(config_path)
    findings = [finding for check in CHECKS for finding in check(settings, deep)]
    good = all(finding.good for finding in findings)
    if as_json:
        print_json({"ok": good, "findings": [attrs.asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            sign = "[green]ok[/green]     " if finding.good else "[red]problem[/red]"
            console.print(sign, escaped(finding.text))
    if not good:
        context.exit(FAILED)


def _damage_of(path: Path, deep: bool) -> list[str]:
    if deep:
        return copies.find_damage(path)
    try:
        with contextlib.closing(_connect(path)) as connection:
            found = copies.quick_check(connection, _QUICK_SECONDS)
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found is None else [found]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
