"""What runs beside the receiving of one account for XChat: reading what is missing, and forgetting."""

import logging
import math

import trio

from unifyport.providers.contract.base import Link
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited

from ..xchat.chat import XChat
from .chat_receiving import ChatReceiver

log = logging.getLogger("unifyport.x")

SWEEP_SECONDS = 3600.0
AGAIN_SECONDS = 60.0  # after a failure, which ends nothing: the stream goes on without it


async def keep_complete(receiver: ChatReceiver, chat: XChat, link: Link) -> None:
    """Read what `receiver` misses, whenever it misses something, until cancelled. Raises `LoggedOut`."""
    sweep_at, again_at = trio.current_time(), math.inf
    while True:
        with trio.move_on_at(min(sweep_at, again_at)):
            await receiver.wait()
        if trio.current_time() >= sweep_at:
            await chat.sweep()
            sweep_at = trio.current_time() + SWEEP_SECONDS
        if trio.current_time() < again_at < math.inf:
            await trio.sleep_until(again_at)
        again_at = math.inf
        try:
            await receiver.complete(link)
        except LoggedOut:
            raise
        except ChannelError as error:
            wait = error.retry_after if isinstance(error, RateLimited) else AGAIN_SECONDS
            again_at = trio.current_time() + wait
            log.warning("encrypted messages that X did not report cannot be read now (%s)", error.reason)
