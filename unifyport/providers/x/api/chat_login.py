"""How an account gets its keys of XChat.

    it gives `chat_keys` (base64 of `export_keys`)   they are imported; no realm is asked
    the session that a login replaces has them       they are taken from it
    a human logs in by consent                       the passcode is asked for, if X says that there is one

An account with a refresh token alone logs in without a human: it has `chat_keys`, or no keys. X asks bots on
servers for just that, and warns people not to give their passcode to one
(https://docs.x.com/xchat/handling-private-keys).
"""

import msgspec

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Rejected
from unifyport.providers.contract.login import Dialog

from ..xchat.records import OWN
from ..xchat.vault import OwnKeys, import_keys, unlock_with
from .chat_calls import ChatCalls

CREDENTIAL = "chat_keys"


async def unlock_for_login(context: ConnectorContext, calls: ChatCalls, me: str, dialog: Dialog) -> None:
    """Put the keys into the session of a login, if there are some. Raises failure classes."""
    keys = await calls.own_keys()
    own = await _former(context, me)
    if own is not None and not any(key.version == own.version for key in keys):
        own = None
    if exported := context.credentials.get(CREDENTIAL):
        own = await import_keys(keys, exported)
    elif own is None:
        own = await unlock_with(dialog, keys, context.guesses_left)
    if own is not None:
        await context.session.commit([own.change])


async def import_for_connection(context: ConnectorContext, calls: ChatCalls, me: str) -> None:
    """Put the keys of the credentials into the session. Raises `LoggedOut` for those that are no good."""
    exported = context.credentials.get(CREDENTIAL)
    if not exported:
        return
    stored = await context.session.get(*OWN)
    try:
        own = await import_keys(await calls.own_keys(), exported)
    except Rejected as refused:
        raise LoggedOut(refused.reason) from None
    if own.user_id == me and stored != (own.change.value or b""):
        await context.session.commit([own.change])


async def _former(context: ConnectorContext, me: str) -> OwnKeys | None:
    stored = None if context.former is None else await context.former.get(*OWN)
    own = None if stored is None else msgspec.msgpack.decode(stored, type=OwnKeys)
    return own if own is not None and own.user_id == me else None
