"""The command `unifyport`, also where the official SDK is installed into the same environment.

The SDK is imported as `unifyport`, too, so there `unifyport/__init__.py` is the SDK's, and it fails: its
`config` is hidden by ours. So the package is made here without that file, before anything of it is imported.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Run the command line."""
    _make_package()
    from unifyport.cli import main as command

    command()


def _make_package() -> None:
    """Put the package `unifyport` of the gateway into `sys.modules`, without running its `__init__.py`."""
    spec = importlib.machinery.ModuleSpec("unifyport", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).parent.parent / "unifyport")]
    sys.modules["unifyport"] = importlib.util.module_from_spec(spec)
