"""The webhook of a bot, of which its platform knows one: replaced and removed only if it is this gateway's.

Telegram's Bot API has `setWebhook`, `getWebhookInfo` and `deleteWebhook`, and Zalo's Bot Platform the same. A
webhook is ours if its URL is the account's address, or one that this account has set before (under another
`public_url`); those are in the session. Any other belongs to another program, and is left alone unless the
account may take it over.
"""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from unifyport.model.unit import SessionChange

from .contract.base import ConnectorContext
from .contract.errors import Conflict, Rejected, Transient

log = logging.getLogger("unifyport.bots")

_KEPT = 4


class Calls(Protocol):
    """The methods of one bot."""

    async def call(self, method: str, shape: Any, body: dict[str, Any] | None = None) -> Any:
        """Returns the result, decoded as `shape`. Raises a failure class."""


class _WebhookInfo(Struct):
    url: str | None = None


class BotWebhooks:
    """All methods raise failure classes. `channel`: the session record is `<channel>.webhooks`, URLs as JSON
    with the newest first. `secret` comes back with each request; `more`: other parameters of `setWebhook`.
    """

    def __init__(
        self,
        api: Calls,
        context: ConnectorContext,
        *,
        channel: str,
        bot: str,
        secret: str,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._session = context.session
        self._url = context.ingress_url
        self._take_over = context.take_over
        self._record = f"{channel}.webhooks"
        self._bot = bot
        self._parameters = {"secret_token": secret, **(more or {})}

    async def set(self, url: str) -> None:
        """Have the platform call `url`. Raises `Conflict` if it calls another program."""
        await self._require_ours(await self.current())
        known = await self._known()
        if known[:1] != [url]:  # on record first: after a crash here it is still known to be ours
            urls = [url, *(each for each in known if each != url)][:_KEPT]
            await self._session.commit([SessionChange(self._record, b"", msgspec.json.encode(urls))])
        try:
            await self._api.call("setWebhook", object, {"url": url, **self._parameters})
        except Rejected:  # the platform cannot call this address, at least now
            raise Transient("webhook_refused") from None

    async def current(self) -> str:
        """The URL that the platform calls; empty if it calls none."""
        try:
            info: _WebhookInfo | None = await self._api.call("getWebhookInfo", _WebhookInfo | None)
        except Rejected as rejected:  # Zalo also says 404 of a bot without a webhook
            if rejected.reason != "not_found":
                raise
            return ""
        return "" if info is None else info.url or ""

    async def remove(self) -> None:
        """Remove the webhook, so that updates can be polled. Raises `Conflict` if it is another program's."""
        url = await self.current()
        await self._require_ours(url)
        if url:
            await self._api.call("deleteWebhook", object)

    async def remove_own(self) -> None:
        """Remove the webhook if it is ours, whatever the account may take over."""
        if await self._is_ours(await self.current()):
            await self._api.call("deleteWebhook", object)

    async def _require_ours(self, url: str) -> None:
        """Raises `Conflict` if `url` is another program's and the account does not take it over."""
        if not url or self._take_over or await self._is_ours(url):
            return
        log.warning(
            "bot %s: another program has set its webhook, which is left alone;"
            " take_over = true on the account takes it over",
            self._bot,
        )
        raise Conflict("foreign_webhook", with_others=True)

    async def _is_ours(self, url: str) -> bool:
        return bool(url) and (url == self._url or url in await self._known())

    async def _known(self) -> list[str]:
        record = await self._session.get(self._record)
        return [] if record is None else msgspec.json.decode(record, type=list[str])
