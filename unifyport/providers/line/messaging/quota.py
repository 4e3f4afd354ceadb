"""What a 429 means: too many requests, or the month's messages are used up.

https://developers.line.biz/en/docs/messaging-api/handling-http-429-errors/. Both have the same status; the
quota and how much of it is used tell which it is. Replies do not count.
"""

import msgspec
import trio

from unifyport.net.clients import Response
from unifyport.providers.contract.errors import ChannelError, RateLimited, Rejected

from .api import LineApi
from .errors import MONTHLY_LIMIT, QUOTA_EXHAUSTED, RATE_SECONDS, read_error

LONGEST = 2.0  # seconds


class _Quota(msgspec.Struct):
    type: str
    value: int | None = None


class _Consumption(msgspec.Struct, rename="camel"):
    total_usage: int


async def explain_limit(api: LineApi, answer: Response) -> ChannelError:
    """The failure class of a 429. Where the quota cannot be read in time, LINE's message decides."""
    error = read_error(answer)
    used_up = await _is_used_up(api)
    if used_up is None:
        used_up = error.message == MONTHLY_LIMIT
    if used_up:
        return Rejected(QUOTA_EXHAUSTED, "the messages of this month are used up", code=429)
    return RateLimited(RATE_SECONDS)


async def _is_used_up(api: LineApi) -> bool | None:
    """None: it cannot be read."""
    quota: _Quota | None = None
    consumption: _Consumption | None = None
    with trio.move_on_after(LONGEST):
        try:
            quota = await api.look_up("/v2/bot/message/quota", _Quota)
            consumption = await api.look_up("/v2/bot/message/quota/consumption", _Consumption)
        except ChannelError:
            return None
    if quota is None or consumption is None:
        return None
    return quota.type == "limited" and quota.value is not None and consumption.total_usage >= quota.value
