"""The webhook address of a channel at LINE, of which there is one: replaced only if it is this gateway's.

An address is ours if it is the account's, or one that this account has set before (under another
`public_url`); those are in the session. Any other belongs to another program, and is left alone unless the
account may take it over. Whether LINE calls it at all ("Use webhook") only its console can change.
https://developers.line.biz/en/reference/messaging-api/#set-webhook-endpoint-url
"""

import logging

import msgspec

from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, Conflict, Rejected, Transient
from unifyport.providers.http import nothing_applied

from .api import LineApi
from .errors import refusal

log = logging.getLogger("unifyport.line")

_RECORD = "line.webhooks"  # of the session: addresses as JSON, the newest first
_KEPT = 4
_PATH = "/v2/bot/channel/webhook/endpoint"


class _Address(msgspec.Struct):
    endpoint: str = ""
    active: bool = False


class WebhookAddress:
    """All methods raise failure classes."""

    def __init__(self, api: LineApi, context: ConnectorContext) -> None:
        self._api = api
        self._session = context.session
        self._take_over = context.take_over

    async def set(self, url: str) -> None:
        """Have LINE call `url`. Raises `Conflict` if it calls another program."""
        with nothing_applied():
            current = await self._read()
            if current.endpoint != url:
                await self._replace(current.endpoint, url)
            elif not current.active:
                log.warning('LINE does not call the webhook of this channel: turn on "Use webhook"')

    async def current(self) -> str:
        """The address that LINE calls; empty if there is none."""
        with nothing_applied():
            return (await self._read()).endpoint

    async def _read(self) -> _Address:
        address: _Address | None = await self._api.call(
            "GET", _PATH, _Address | None, refused=_unless_missing
        )
        return address or _Address()

    async def _replace(self, current: str, url: str) -> None:
        known = await self._known()
        if current and current not in known and not self._take_over:
            raise Conflict("foreign_webhook", with_others=True)
        if known[:1] != [url]:  # on record first: after a crash here it is still known to be ours
            urls = [url, *(each for each in known if each != url)][:_KEPT]
            await self._session.commit([SessionChange(_RECORD, b"", msgspec.json.encode(urls))])
        try:
            await self._api.post(_PATH, {"endpoint": url}, method="PUT")
        except Rejected:  # the platform cannot call this address, at least now
            raise Transient("webhook_refused") from None

    async def _known(self) -> list[str]:
        record = await self._session.get(_RECORD)
        return [] if record is None else msgspec.json.decode(record, type=list[str])


def _unless_missing(response: Response) -> ChannelError | None:
    """404: the channel has no address. Its body, an error object, is read as an address without one."""
    return None if response.status == 404 else refusal(response)
