"""Opens the account's connection from its session, and proves that the login stands."""

from typing import Any, Final

from telethon.tl.functions.users import GetUsersRequest
from telethon.tl.types import InputUserSelf

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.records import Records

from .dialling import Dialler
from .keys import Me, auth_key, load_auth, load_me
from .link import UserLink
from .media_connections import MediaConnections
from .records import AUTH, ME
from .rpc import Rpc

BOT: Final = "session_of_a_bot"


async def open_link(context: ConnectorContext, records: Records) -> UserLink:
    """A connection with the account's data centre, logged in. Raises a failure class."""
    stored = await records.get(ME)
    me = load_me(stored) if stored is not None else None
    kept = await records.get(AUTH, auth_key(me.dc)) if me is not None else None
    if me is None or kept is None:
        raise LoggedOut("not_logged_in")
    dialler = Dialler(context)
    connection, auth = await dialler.connect(me.dc, load_auth(kept))
    try:
        media = MediaConnections(context, dialler, records)
        rpc = Rpc(context, connection, media)
        link = UserLink(context, records, connection, rpc, media=media, me=me, auth=auth)
        link.me = await fetch_me(rpc, me.dc)
        return link
    except BaseException:
        connection.close()
        raise


async def fetch_me(rpc: Rpc, dc: int) -> Me:
    """Who is logged in. Raises a failure class; `LoggedOut` also for a bot."""
    users: list[Any] = await rpc.call(GetUsersRequest([InputUserSelf()]))
    if not users or getattr(users[0], "access_hash", None) is None:
        raise LoggedOut("account_deleted")
    if users[0].bot:
        raise LoggedOut(BOT)
    return me_of(users[0], dc)


def me_of(user: Any, dc: int) -> Me:
    name = " ".join(part for part in (user.first_name, user.last_name) if part)
    return Me(dc, user.id, phone=user.phone or "", username=username_of(user), name=name)


def username_of(user: Any) -> str:
    """The first active one; a person may have several."""
    if user.username:
        return str(user.username)
    return next((str(each.username) for each in user.usernames or () if each.active), "")
