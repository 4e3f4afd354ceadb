"""UnifyPort: one port for WhatsApp, Telegram, LINE, TikTok, Zalo and X, self-hosted."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("unifyport")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+source"
