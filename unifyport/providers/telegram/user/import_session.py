"""Logging in with an exported session: it is proved by a call, at the address of our own table."""

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Rejected
from unifyport.providers.contract.login import Authorization, ExportedSession

from .dialling import Dialler
from .keys import AuthRecord
from .login_session import keep, note_beginning
from .opening import BOT, fetch_me
from .rpc import Rpc
from .session_formats import NotASession, read_exported

_INVALID = "invalid_session"


async def import_session(context: ConnectorContext, exported: ExportedSession) -> Authorization:
    """Raises a failure class; `Rejected` if the session cannot be read or is not accepted.

    The session must not be in use elsewhere: Telegram kills a key that two addresses use at a time.
    """
    try:
        found = read_exported(exported.data)
    except NotASession as error:
        raise Rejected(_INVALID, str(error)) from None
    dialler = Dialler(context)
    if not dialler.knows(found.dc):
        raise Rejected(_INVALID, "the session names a data centre that is not configured")
    connection, auth = await dialler.connect(found.dc, AuthRecord(found.key))
    try:
        rpc = Rpc(context, connection)
        me = await fetch_me(rpc, found.dc)
        await keep(context.session, me, auth)
        await note_beginning(context.session, rpc.call)
    except LoggedOut as error:
        if error.reason == BOT:
            raise Rejected(
                _INVALID, "the session is of a bot: connect it with its token, auth_mode token"
            ) from None
        raise Rejected(_INVALID, f"Telegram does not accept the session ({error.reason})") from None
    finally:
        connection.close()
    return Authorization(me.identity)
