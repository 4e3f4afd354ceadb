"""Exporting the session of an account: by the owner, on the server's machine, and while it is not in use."""

import logging

import attrs

from actors.accounts import Accounts
from unifyport.model.account import AuthStatus
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.contract.login import ExportsSession

from .errors import OWNER_ONLY, UNSUPPORTED, UseCaseError, invalid, not_bound
from .lookup import AccountLookup

log = logging.getLogger("unifyport.account")


@attrs.frozen
class SessionExport:
    """Raises `UseCaseError` and `StoreUnavailable`."""

    _accounts: Accounts
    _lookup: AccountLookup

    async def export(self, account_id: str, *, owner: bool) -> str:
        """The session, which gives full access to the account. The log tells of the export only.

        `owner`: the caller came by the server's socket. The account must be stopped, as platforms end a
        session that is used from two places.
        """
        account, _ = await self._lookup.find_bound(account_id)
        actor = self._accounts.actor(account.id)
        if actor is None or account.auth_status is not AuthStatus.AUTHORIZED:
            raise not_bound()
        if not issubclass(actor.connector_class, ExportsSession):
            raise UseCaseError(UNSUPPORTED, "this connection has no session that other programs could use")
        if not owner:
            text = "only the owner may: unifyport export-session, on the server's machine, through its socket"
            raise UseCaseError(OWNER_ONLY, text)
        if account.may_run:
            raise invalid("account_id", "must be stopped first: a session must not be used twice at a time")
        try:
            session = await actor.connectors.export_session()
        except ChannelError as error:
            raise invalid("account_id", error.reason) from None
        log.warning("account %s: its session was exported", account.id, extra={"account_id": account.id})
        return session
