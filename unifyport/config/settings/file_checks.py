"""Checks of files that the configuration names: the file of the master key, and trust anchors."""

import os
import ssl
import stat
from pathlib import Path

from .mistakes import Mistakes
from .values import Settings

_CHMOD = "run chmod 600"


def check_files(settings: Settings, mistakes: Mistakes) -> None:
    """Report a master key that others may change or read, and trust anchors that cannot be read."""
    _check_master_key(settings, mistakes)
    ca_file = settings.ca_file
    if ca_file is not None:
        try:
            ssl.create_default_context().load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            mistakes.tell(("security", "ca_file"), "holds no certificate in PEM")
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            mistakes.tell(("security", "ca_file"), f"cannot be read ({getattr(error, 'strerror', error)})")


def _check_master_key(settings: Settings, mistakes: Mistakes) -> None:
    """A secret that is mounted belongs to root and may be read by all: what mounts it, guards it."""
    security = mistakes.document.get("security")
    declared = security.get("master_key") if isinstance(security, dict) else None
    name = declared.get("file") if isinstance(declared, dict) else None
    if not isinstance(name, str):
        return
    try:
        status = (settings.directory / name).stat()
    except (OSError, ValueError):
        return  # a mistake of its own
    if problem := _problem_of_mode(settings.directory / name, status):
        mistakes.tell(("security", "master_key"), problem, show_value=False)


def _problem_of_mode(path: Path, status: os.stat_result) -> str:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return ""
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"the file {path} may be written by others (mode {mode:04o}): {_CHMOD}"
    if mode & stat.S_IROTH and status.st_uid == os.geteuid() != 0:
        return f"the file {path} may be read by everybody (mode {mode:04o}): {_CHMOD}"
    return ""
