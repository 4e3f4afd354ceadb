"""The webhook of the app at TikTok, of which there is one for all business accounts that authorized it.

It is set to the address of an account of this gateway; any of the app's accounts will do, as each item goes
to the account that it names. An account sets its own address whenever it finds another: so the webhook never
stays with an account that was stopped or deleted. An address that is not of this gateway belongs to another
program, and is left alone unless the account may take it over.
https://business-api.tiktok.com/portal/docs?id=1832190630117377
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Conflict, Rejected, Transient
from unifyport.providers.http import nothing_applied

from .api import BusinessApi

_RECORD = ("webhook", b"")  # of the session: the address that this account has set last
_EVENTS = "DIRECT_MESSAGE"


class _Webhook(Struct):
    callback_url: str = ""


class Webhook:
    """All methods raise failure classes."""

    def __init__(self, api: BusinessApi, context: ConnectorContext) -> None:
        self._api = api
        self._session = context.session
        self._credentials: Mapping[str, Any] = context.credentials
        self._take_over = context.take_over
        self._url = context.ingress_url or ""

    async def set(self) -> None:
        """Have TikTok call this account's address. Raises `Conflict` if it calls another program."""
        if not self._url:
            raise Transient("public_url_missing")  # ends when the operator configures `public_url`
        current = await self._current()
        if current == self._url:
            return
        if current and not self._take_over and not await self._is_ours(current):
            raise Conflict("foreign_webhook", with_others=True)
        await self._session.commit([SessionChange(*_RECORD, self._url.encode())])
        try:
            with nothing_applied():
                await self._api.call_as_app(
                    "POST", "business/webhook/update/", Any, json=self._named(callback_url=self._url)
                )
        except Rejected:  # TikTok cannot call this address, at least now
            raise Transient("webhook_refused") from None

    async def _current(self) -> str:
        """The address that TikTok calls; empty if it calls none."""
        with nothing_applied():
            found = await self._api.call_as_app(
                "GET", "business/webhook/list/", _Webhook, query=self._named()
            )
        return str(found.callback_url)

    async def _is_ours(self, url: str) -> bool:
        """Whether it is an address of this gateway, here or where it was when it was set last."""
        stored = await self._session.get(*_RECORD)
        known = [self._url] if stored is None else [self._url, stored.decode()]
        return any(url.startswith(_all_accounts(each)) for each in known)

    def _named(self, **more: str) -> dict[str, str]:
        app = {"app_id": self._credentials["client_key"], "secret": self._credentials["client_secret"]}
        return {**app, "event_type": _EVENTS, **more}


def _all_accounts(url: str) -> str:
    """What the addresses of all accounts of a gateway begin with."""
    return url.rpartition("/")[0] + "/"
