"""The import of a session: it is proved by a call, and with a passcode the private keys are recovered once.

`pin` is the passcode of XChat. `"0000"` and an empty one say that there is none: then X's realms, which count
wrong ones and delete the keys after the last, are not asked, and the account connects without keys. Keys and
marks that an earlier session of the same user holds are kept (`relogin.py`).
"""

import uuid
from http.cookiejar import CookieJar

import msgspec

from unifyport.model.account import Identity
from unifyport.model.unit import SessionChange
from unifyport.providers import cookies
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import Authorization, ExportedSession

from ..xchat import vault
from ..xchat.records import OWN
from .answers import object_in
from .catch_up import CatchUp
from .client import WebClient
from .imported import read_export, share
from .records import CLIENT, COOKIES, ME, mark_change
from .relogin import commit_all, kept_of
from .shapes import MemberResult, UserResult, read
from .transport import WebTransport


async def import_session(context: ConnectorContext, exported: ExportedSession) -> Authorization:
    """Raises `Rejected("invalid_session")`, also for one that X does not take; what `vault.unlock` raises;
    `Transient`.
    """
    imported = read_export(exported.data)
    client = WebClient(context, imported.jar, me=imported.user_id, uuid=str(uuid.uuid4()))
    try:
        identity = await prove(client)
        transport = WebTransport(client, _no_socket)
        kept = await kept_of(context.former, client.me)
        if not kept:
            kept = [mark_change(await CatchUp(client, transport).newest())]
        keys = await _own_keys(context, transport, client.me, exported.pin)  # last: it may cost a guess
        own = [*_records(client), *([] if keys is None else [keys])]
        await commit_all(context.session, kept, own)
        return Authorization(identity)
    except LoggedOut as refused:
        raise Rejected("invalid_session", f"X does not accept the session ({refused.reason})") from None
    finally:
        await client.aclose()


async def prove(client: WebClient) -> Identity:
    """The user that X reports. Raises `Rejected("invalid_session")` if it is another one."""
    data = await client.verify()
    results = read(object_in(data, "get_member_results").get("results") or [], list[MemberResult])
    for found in results:
        user = found.member_results or UserResult()
        if client.me in (found.id, user.rest_id):
            return identity_of(client.me, user)
    raise Rejected("invalid_session", "X does not know the user of the session")


def identity_of(me: str, user: UserResult) -> Identity:
    known = user.result
    name = known.core.name if known is not None and known.core is not None else ""
    picture = known.avatar.image_url if known is not None and known.avatar is not None else ""
    return Identity(me, display_name=name, picture_url=picture)


async def _own_keys(
    context: ConnectorContext, transport: WebTransport, me: str, pin: str | None
) -> SessionChange | None:
    """The record of the private keys; None: there are none."""
    if pin is not None and not vault.is_no_passcode(pin):
        registered = await transport.public_keys([me])
        return (await vault.unlock(registered, pin, context.guesses_left)).change
    stored = None if context.former is None else await context.former.get(*OWN)
    if stored is None or msgspec.msgpack.decode(stored, type=vault.OwnKeys).user_id != me:
        return None
    return SessionChange(*OWN, stored)


def _records(client: WebClient) -> list[SessionChange]:
    return [
        SessionChange(*ME, client.me.encode()),
        SessionChange(*COOKIES, cookies.stored(client.jar)),
        SessionChange(*CLIENT, client.uuid.encode()),
    ]


async def restored(context: ConnectorContext) -> WebClient:
    """The client of the session that is kept. Raises `LoggedOut("not_linked")`."""
    session = context.session
    me, stored, client_id = await session.get(*ME), await session.get(*COOKIES), await session.get(*CLIENT)
    if me is None or stored is None or client_id is None:
        raise LoggedOut("not_linked")
    jar: CookieJar = cookies.restored(stored)
    share(jar)
    return WebClient(context, jar, me=me.decode(), uuid=client_id.decode())


async def _no_socket(data: bytes) -> None:
    raise Transient("connection_lost")
