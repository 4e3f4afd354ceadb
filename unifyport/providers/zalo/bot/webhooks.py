"""The webhook of a bot at Zalo, of which there is one: replaced and removed only if it is this gateway's.

A webhook is ours if its URL is the account's address, or one that this account has set before (under another
`public_url`); those are in the session. Any other belongs to another program, and is left alone unless the
account may take it over. While one is set, `getUpdates` returns nothing
(https://bot.zaloplatforms.com/docs/apis/getUpdates).
"""

import msgspec
from msgspec import Struct

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Conflict, Rejected, Transient

from .api import BotApi
from .signature import secret_of

_RECORD = "zalo.webhooks"  # of the session: URLs as JSON, the newest first
_KEPT = 4


class _WebhookInfo(Struct):
    url: str | None = None


class Webhooks:
    """All methods raise failure classes."""

    def __init__(self, api: BotApi, context: ConnectorContext) -> None:
        self._api = api
        self._session = context.session
        self._url = context.ingress_url
        self._secret = secret_of(context.credentials)
        self._take_over = context.take_over

    async def set(self, url: str) -> None:
        """Have Zalo call `url`. Raises `Conflict` if it calls another program."""
        current = await self.current()
        await self._check_ours(current)
        known = await self._known()
        if known[:1] != [url]:  # on record first: after a crash here it is still known to be ours
            urls = [url, *(each for each in known if each != url)][:_KEPT]
            await self._session.commit([SessionChange(_RECORD, b"", msgspec.json.encode(urls))])
        try:
            await self._api.call("setWebhook", object, {"url": url, "secret_token": self._secret})
        except Rejected:  # the platform cannot call this address, at least now
            raise Transient("webhook_refused") from None

    async def current(self) -> str:
        """The URL that Zalo calls; empty if it calls none."""
        try:
            info = await self._api.call("getWebhookInfo", _WebhookInfo | None)
        except Rejected as rejected:  # 404 is said of a bot without a webhook, too
            if rejected.reason != "not_found":
                raise
            return ""
        return "" if info is None else info.url or ""

    async def remove(self) -> None:
        """Remove the webhook, so that updates can be polled. Raises `Conflict` if it is another program's."""
        url = await self.current()
        await self._check_ours(url)
        if url:
            await self._api.call("deleteWebhook", object)

    async def remove_own(self) -> None:
        """Remove the webhook if it is ours, whatever the account may take over."""
        if await self._is_ours(await self.current()):
            await self._api.call("deleteWebhook", object)

    async def _check_ours(self, url: str) -> None:
        if url and not self._take_over and not await self._is_ours(url):
            raise Conflict("foreign_webhook", with_others=True)

    async def _is_ours(self, url: str) -> bool:
        return bool(url) and (url == self._url or url in await self._known())

    async def _known(self) -> list[str]:
        record = await self._session.get(_RECORD)
        return [] if record is None else msgspec.json.decode(record, type=list[str])
