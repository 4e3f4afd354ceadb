"""Making connectors of one account, logging them out and closing them."""

import logging

import attrs
import trio

from unifyport.model.account import AuthStatus
from unifyport.model.proxy import Proxy
from unifyport.net.guard import NameNotResolved, UrlNotAllowed
from unifyport.providers.contract.base import Connector, ConnectorContext
from unifyport.providers.contract.errors import ChannelError, Transient
from unifyport.providers.contract.login import ExportsSession, LogsOut
from unifyport.providers.contract.session import Session

from .former_session import FormerSession
from .login_changes import known_guesses
from .memory_session import MemorySession
from .services import Services
from .state import AccountState

log = logging.getLogger("unifyport.account")

CLOSE_SECONDS = 5.0
LOG_OUT_SECONDS = 10.0


class Connectors:
    """Constructs the connectors of one account from its row and a session."""

    def __init__(self, state: AccountState, services: Services) -> None:
        self._state = state
        self._services = services

    async def construct(self, session: Session) -> Connector:
        """Raises `Transient` where the proxy cannot be used, and what the constructor raises."""
        return self._state.connector_class(await self._context(session))

    async def construct_for_login(self, session: Session) -> Connector:
        """As `construct`; the connector can read the session that its login will replace."""
        former = FormerSession(self._services.store, self._state.row.no)
        return self._state.connector_class(await self._context(session, former))

    async def prepare_log_out(self) -> ConnectorContext | None:
        """What a connector that logs out is constructed from; None where the platform need not be told.

        Taken before the session is deleted. Raises `StoreUnavailable`.
        """
        row = self._state.row
        if row.auth_status is not AuthStatus.AUTHORIZED or not issubclass(
            self._state.connector_class, LogsOut
        ):
            return None
        try:
            return await self._context(MemorySession(await self._services.store.session(row.no)))
        except ChannelError as error:
            log.warning("account %s: not logged out at the platform (%s)", row.id, error.reason)
            return None

    async def log_out(self, context: ConnectorContext) -> None:
        """Log out at the platform with a connector of its own. Raises nothing; bounded as `log_out` below."""
        account_id = self._state.row.id
        try:
            connector = self._state.connector_class(context)
        except ChannelError as error:
            log.warning("account %s: not logged out at the platform (%s)", account_id, error.reason)
            return
        try:
            await log_out(account_id, connector)
        finally:
            await close(account_id, connector)

    async def export_session(self) -> str:
        """The account's session, in a format of the platform's tools; for a connector that exports it.

        Raises a failure class, `StoreUnavailable`.
        """
        stored = MemorySession(await self._services.store.session(self._state.row.no))
        connector = self._state.connector_class(await self._context(stored))
        assert isinstance(connector, ExportsSession), "the use case checks this"
        try:
            return await connector.export_session()
        finally:
            await close(self._state.row.id, connector)

    async def _context(self, session: Session, former: Session | None = None) -> ConnectorContext:
        row, services = self._state.row, self._services
        return ConnectorContext(
            credentials=self._state.credentials,
            receive=row.receive,
            session=session,
            endpoints=services.endpoints[row.channel],
            ssl_context=services.ssl_context,
            ingress_url=services.ingress_url(row),
            take_over=row.take_over,
            proxy=await self._checked_proxy(),
            secrets=self._state.secrets,
            clock=services.clock,
            wanted=self._state.spec.wanted(row.metadata),
            counts=attrs.evolve(services.tallies.connectors, channel=row.channel),
            former=former,
            guesses_left=known_guesses(row.auth_payload),
        )

    async def _checked_proxy(self) -> Proxy | None:
        """The account's proxy, at an address that the guard allows. The account never connects without."""
        proxy = self._state.row.proxy
        if proxy is None:
            return None
        try:
            address = await self._services.proxy_guard.address(proxy.host)
        except UrlNotAllowed:
            raise Transient("proxy_not_allowed") from None
        except NameNotResolved:
            raise Transient("proxy_error") from None
        # The certificate of a TLS proxy is for its name, so it is dialled by name.
        return proxy if proxy.type == "https" else attrs.evolve(proxy, host=str(address))


async def close(account_id: str, connector: Connector) -> None:
    """Close `connector` within `CLOSE_SECONDS`, also while being cancelled. Errors are logged and change
    nothing.
    """
    try:
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await connector.aclose()
    except Exception:
        log.exception("account %s: its connector did not close", account_id)


async def log_out(account_id: str, connector: Connector) -> None:
    """Log out at the platform, where the connector can. Raises nothing; takes at most `LOG_OUT_SECONDS`."""
    if not isinstance(connector, LogsOut):
        return
    try:
        with trio.move_on_after(LOG_OUT_SECONDS) as scope:
            await connector.log_out()
        if scope.cancelled_caught:
            log.warning("account %s: the platform did not answer the log-out in time", account_id)
    except ChannelError as error:
        log.warning("account %s: not logged out at the platform (%s)", account_id, error.reason)
    except Exception:
        log.exception("account %s: logging out crashed", account_id)
