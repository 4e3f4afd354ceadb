"""The data centres: they read calls, unwrap them, and pass them to the modules that handle them.

https://core.telegram.org/api/invoking, https://core.telegram.org/api/errors. A call is handled at once,
without waiting: what one client does is seen by the next call of any.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import attrs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from telethon.tl import functions as F

from unifyport.protocols.mtproto.server_session import Called

from ...platform import KEPT
from .authorizations import Authorization, Session
from .codec import LAYER, Unreadable, read, write_answer
from .directory import Directory, Person
from .errors import Refused, bad
from .noise import Noise

log = logging.getLogger(__name__)

Handler = Callable[["Call", Any], Any]
_HIDDEN = ("auth.", "account.getPassword", "account.checkPassword", "help.", "upload.", "langpack.")
_WRAPPERS: Final = (
    F.InvokeWithLayerRequest,
    F.InitConnectionRequest,
    F.InvokeWithoutUpdatesRequest,
    F.InvokeAfterMsgRequest,
    F.InvokeAfterMsgsRequest,
    F.InvokeWithTakeoutRequest,
)


@attrs.frozen
class Call:
    """A query that is being answered."""

    server: "Server"
    centre: "Centre"
    session: Session
    msg_id: int

    @property
    def authorization(self) -> Authorization:
        return self.session.authorization

    @property
    def person(self) -> Person:
        """Who is logged in. Raises `Refused`."""
        person = self.authorization.person
        if person is None:
            raise Refused(401, "AUTH_KEY_UNREGISTERED")
        if person.deleted:
            raise Refused(401, "USER_DEACTIVATED")
        return person


@attrs.frozen
class Seen:
    """A call, for tests. `error`: how it was refused."""

    method: str
    person: Person | None
    query: Any
    at: float
    error: str | None


class Centre:
    """One data centre."""

    def __init__(self, server: "Server", dc: int) -> None:
        self.server = server
        self.dc = dc
        self.authorizations: dict[bytes, Authorization] = {}

    def answer(self, session: Session, called: Called) -> None:
        now = time.time() + self.server.skew
        error: Refused | None = None
        method, query = "", None
        try:
            query = self._unwrap(session, read(called.body))
            method = method_name(type(query))
            result = self._execute(Call(self.server, self, session, called.msg_id), method, query)
        except Unreadable as unreadable:
            log.info("a query could not be read: %s", unreadable)
            error = bad("INPUT_FETCH_ERROR")
        except Refused as refused:
            error = refused
        except Exception:
            log.exception("%s failed", method)
            error = Refused(500, "INTERNAL_SERVER_ERROR")
        said = error.name if error is not None else None
        self.server.seen.append(Seen(method, session.authorization.person, query, time.time(), said))
        if self.server.noise.is_muted(method):
            return
        if error is not None:
            session.protocol.fail(called.msg_id, error.code, error.name, now=now)
        else:
            session.protocol.answer(called.msg_id, write_answer(result), now)

    def _unwrap(self, session: Session, query: Any) -> Any:
        authorization = session.authorization
        while isinstance(query, _WRAPPERS):
            if isinstance(query, F.InvokeWithLayerRequest):
                if query.layer != LAYER:
                    raise bad("CONNECTION_LAYER_INVALID")
            elif isinstance(query, F.InitConnectionRequest):
                if query.api_id <= 0:
                    raise bad("CONNECTION_API_ID_INVALID")
                authorization.initialised = True
                authorization.device = query.device_model
            elif isinstance(query, F.InvokeWithoutUpdatesRequest):
                session.silent = True
            query = query.query
        if not authorization.initialised:
            raise bad("CONNECTION_NOT_INITED")
        return query

    def _execute(self, call: Call, method: str, query: Any) -> Any:
        authorization = call.authorization
        if authorization.refusal is not None:
            raise Refused(*authorization.refusal)
        self.server.noise.meet(method, query)
        handler = self.server.handlers.get(type(query))
        if handler is None:
            raise bad("METHOD_INVALID")
        if not method.startswith(_HIDDEN) and call.person.dc != self.dc:
            raise Refused(303, f"USER_MIGRATE_{call.person.dc}")
        return handler(call, query)


class Server:
    """All data centres. `skew`: how far their clock is ahead, in seconds."""

    def __init__(self, dcs: tuple[int, ...]) -> None:
        self.directory = Directory()
        self.noise = Noise()
        self.centres = {dc: Centre(self, dc) for dc in dcs}
        self.seen: deque[Seen] = deque(maxlen=KEPT)
        self.handlers: dict[type, Handler] = {}
        self.addresses: dict[str, str] = {}  # by the name of the protocol
        self.skew = 0.0

    @cached_property
    def private_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @property
    def public_key(self) -> str:
        """What clients are to trust, as PEM (PKCS 1)."""
        pem = self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.PKCS1
        )
        return pem.decode()

    @property
    def now(self) -> int:
        return int(time.time() + self.skew)

    def authorizations_of(self, person: Person) -> list[Authorization]:
        return [
            each
            for centre in self.centres.values()
            for each in centre.authorizations.values()
            if each.person is person
        ]


def method_name(request: type) -> str:
    """`messages.sendMessage`, as in Telegram's documentation."""
    module = request.__module__.removeprefix("telethon.tl.functions").lstrip(".")
    name = request.__name__.removesuffix("Request")
    return f"{module}.{name[0].lower()}{name[1:]}" if module else f"{name[0].lower()}{name[1:]}"
