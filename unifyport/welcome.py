"""What `serve` says once it listens: one line with all that an operator looks for first."""

import logging
from collections.abc import Sequence
from pathlib import Path

import attrs

from unifyport.version import VERSION

log = logging.getLogger("unifyport.server")


@attrs.frozen(kw_only=True)
class Counts:
    """What there is, however it was declared."""

    accounts: int
    webhook_endpoints: int
    api_keys: int


def welcome(urls: Sequence[str], docs: str, database: Path, counts: Counts) -> None:
    """Log version, addresses, the page of the API, the database, what there is, and what to do next."""
    fields = {
        "version": VERSION,
        "addresses": ", ".join(urls),
        "docs": docs,
        "database": str(database.absolute()),
        **attrs.asdict(counts),
        "next": next_step(counts),
    }
    log.info("UnifyPort %s listens on %s", VERSION, ", ".join(urls), extra=fields)


def next_step(counts: Counts) -> str:
    if not counts.api_keys:
        return "make an API key: unifyport keys create NAME"
    if not counts.accounts:
        return "make an account: [[accounts]] in the file and unifyport reload, or POST /v1/accounts"
    if not counts.webhook_endpoints:
        return "say where events go: unifyport webhooks create URL"
    return "see what runs: unifyport status"
