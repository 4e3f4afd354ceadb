"""The header `x-client-transaction-id`, which X's front may want of a browser.

It is computed from X's home page and one of its scripts. PyPI `xclienttransaction` (MIT) knows how, and is
an optional extra (`pip install unifyport[x]`). Without it, or where X has changed its page, the header says
that the browser could not compute one, as the web application does in that case.
"""

import base64
import importlib.util
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from unifyport.providers.contract.errors import ChannelError

log = logging.getLogger(__name__)
_FAILED = "e:"
MAX_PAGE = 4 * 1024 * 1024
_SCRIPT = re.compile(r"https://abs\.twimg\.com(/responsive-web/client-web/ondemand\.s\.[0-9a-f]{4,32}a\.js)")
Fetch = Callable[[str], Awaitable[bytes]]


def installed() -> bool:
    return importlib.util.find_spec("x_client_transaction") is not None


class Transactions:
    """`fetch` gets the path of a page of X, or of a script (`/responsive-web/…`)."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._made: Any = None
        self._tried = not installed()
        self._lock = trio.Lock()

    async def id_for(self, method: str, path: str) -> str:
        """The header's value. Never raises but for cancellation."""
        if not self._tried:
            async with self._lock:
                await self._prepare()
        if self._made is None:
            return base64.b64encode(_FAILED.encode()).decode().rstrip("=")
        made: str = self._made.generate_transaction_id(method=method, path=path)
        return made

    async def _prepare(self) -> None:
        if self._tried:
            return
        try:
            page = await self._fetch("/home")
            self._made = await trio.to_thread.run_sync(_read, page, await self._script(page))
        except ChannelError as error:
            log.debug("x: the page that transaction ids are computed of was not read: %s", error.reason)
        self._tried = True
        if self._made is None:
            log.info("x: transaction ids cannot be computed: X's front may refuse requests")

    async def _script(self, page: bytes) -> bytes:
        """Raises failure classes. Empty: the page names none."""
        if len(page) > MAX_PAGE:
            return b""
        address = await trio.to_thread.run_sync(_address, page)
        return await self._fetch(address) if address else b""


def _address(page: bytes) -> str:
    """The path of the script."""
    import bs4
    from x_client_transaction.utils import get_ondemand_file_url

    try:
        url = str(get_ondemand_file_url(bs4.BeautifulSoup(page, "html.parser")))
    except Exception:
        return ""
    found = _SCRIPT.fullmatch(url)
    return found[1] if found else ""


def _read(page: bytes, script: bytes) -> Any:
    """The library's object; None if it cannot read the page."""
    import bs4
    from x_client_transaction import ClientTransaction

    try:
        return ClientTransaction(bs4.BeautifulSoup(page, "html.parser"), script.decode("utf-8", "replace"))
    except Exception:
        return None
