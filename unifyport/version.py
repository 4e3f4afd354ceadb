"""The running version. Nothing reads it from the package itself: see `unifyport_gateway`."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("unifyport")
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "0+source"
