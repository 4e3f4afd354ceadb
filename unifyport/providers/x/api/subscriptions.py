"""What the app has ordered at X for one user: subscriptions to events, and the webhook that gets them.

https://docs.x.com/x-api/activity/quickstart, https://docs.x.com/x-api/webhooks/quickstart. A subscription is
for one user and one type of event; creating it needs the user's token, everything else the app's. Without a
webhook its events come by the stream only. An app has few webhooks, so the accounts of one app share the
first one that was registered for this gateway: each item names its user.
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.errors import Conflict, Rejected, Transient
from unifyport.providers.http import collect_pages, nothing_applied

from .calls import XApi, with_query
from .events import SUBSCRIBED

PATH = "/2/activity/subscriptions"
WEBHOOKS = "/2/webhooks"
INGRESS = "/ingress/"  # of this gateway's addresses
_PAGE = 1000
_LIMIT = "WebhookLimitExceeded"  # X names the reason; in which field is not documented


class _Filter(Struct):
    user_id: str = ""


class Subscription(Struct):
    subscription_id: str
    event_type: str = ""
    filter: _Filter = msgspec.field(default_factory=_Filter)
    webhook_id: str = ""


class Webhook(Struct):
    id: str
    url: str = ""
    valid: bool = False


class _Meta(Struct):
    next_token: str | None = None


class _Listed(Struct):
    data: list[Subscription] = []
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Webhooks(Struct):
    data: list[Webhook] = []


class _Valid(Struct):
    valid: bool = False


async def subscriptions_of(api: XApi, user_id: str) -> list[Subscription]:
    """Those of one user, among all of the app."""

    async def fetch(after: str | None) -> tuple[list[Subscription], str | None]:
        query = {"max_results": _PAGE} | ({"pagination_token": after} if after else {})
        page = _decode(await api.ask("GET", with_query(PATH, query), app=True), _Listed)
        return page.data, page.meta.next_token

    with nothing_applied():
        return [each for each in await collect_pages(fetch) if each.filter.user_id == user_id]


async def subscribe(api: XApi, user_id: str, webhook_id: str | None) -> None:
    """Order every event of `SUBSCRIBED` for a user, at the webhook if there is one."""
    known = {each.event_type: each for each in await subscriptions_of(api, user_id)}
    with nothing_applied():
        for event_type in SUBSCRIBED:
            have = known.get(event_type)
            if have is None:
                body: dict[str, Any] = {"event_type": event_type, "filter": {"user_id": user_id}}
                body |= {"webhook_id": webhook_id} if webhook_id else {}
                await api.ask("POST", PATH, json=body)
            elif webhook_id and have.webhook_id != webhook_id:
                change = {"webhook_id": webhook_id}
                await api.ask("PUT", f"{PATH}/{have.subscription_id}", app=True, json=change)


async def unsubscribe(api: XApi, user_id: str) -> None:
    for each in await subscriptions_of(api, user_id):
        await api.ask("DELETE", f"{PATH}/{each.subscription_id}", app=True)


async def webhooks(api: XApi) -> list[Webhook]:
    with nothing_applied():
        return list(_decode(await api.ask("GET", WEBHOOKS, app=True), _Webhooks).data)


async def ensure_webhook(api: XApi, url: str, *, take_over: bool) -> Webhook:
    """The app's webhook for this gateway, valid. Registers `url` if there is none.

    Raises `Conflict` if X takes no further webhook of the app and `take_over` is not set, else a failure
    class.
    """
    there = await webhooks(api)
    mine = next((each for each in there if each.url == url), None) or _shared(there, url)
    if mine is not None:
        return await revalidate(api, mine)
    try:
        return await _register(api, url)
    except Rejected as refused:
        if _LIMIT not in refused.detail.replace(":", " ").split():
            raise Transient("webhook_refused") from None
        if not take_over:
            raise Conflict("foreign_webhook", with_others=True) from None
    for each in there:
        await api.ask("DELETE", f"{WEBHOOKS}/{each.id}", app=True)
    try:
        return await _register(api, url)
    except Rejected:
        raise Transient("webhook_refused") from None


async def revalidate(api: XApi, webhook: Webhook) -> Webhook:
    """A valid webhook as it is; of another one X checks the address again. Raises `Transient` if that
    fails.
    """
    if webhook.valid:
        return webhook
    try:
        with nothing_applied():
            checked: _Valid = await api.call("PUT", f"{WEBHOOKS}/{webhook.id}", _Valid, app=True)
    except Rejected:
        raise Transient("webhook_invalid") from None
    if not checked.valid:
        raise Transient("webhook_invalid")
    return Webhook(webhook.id, webhook.url, True)


async def is_valid(api: XApi, url: str) -> bool:
    """Whether X calls this gateway: at `url`, or at the address that another account has registered."""
    there = await webhooks(api)
    mine = next((each for each in there if each.url == url), None) or _shared(there, url)
    return mine is not None and mine.valid


async def remove_webhook(api: XApi, url: str) -> None:
    """Remove the webhook at exactly this address, if there is one."""
    for each in await webhooks(api):
        if each.url == url:
            await api.ask("DELETE", f"{WEBHOOKS}/{each.id}", app=True)


async def _register(api: XApi, url: str) -> Webhook:
    """X checks the address before it answers. Raises `Rejected` if it does not take it."""
    with nothing_applied():
        made: Webhook = await api.call("POST", WEBHOOKS, Webhook, app=True, json={"url": url})
    return await revalidate(api, made)


def _shared(there: list[Webhook], url: str) -> Webhook | None:
    """A webhook that another account of this gateway has registered."""
    wanted = urlsplit(url)
    place = wanted.path.partition(INGRESS)[0] + INGRESS
    for each in there:
        found = urlsplit(each.url)
        if (found.scheme, found.netloc) == (wanted.scheme, wanted.netloc) and found.path.startswith(place):
            return each
    return None


def _decode(body: bytes | Raw, shape: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE:
        raise Transient("malformed_answer") from None
