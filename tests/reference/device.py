"""Devices of the reference platform: the connections that a human logs in, and what they do where nothing is
kept for us.

A device is known by a key, which is all of its session. The platform streams to it and forgets; where it has
a history, how far we have come is part of the session too, and what was missed is fetched before the stream
is read.
"""

import json
from typing import Any

from unifyport.model.account import Identity
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import (
    Batch,
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    Link,
    PhoneCredential,
)
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.login import (
    Authorization,
    Authorizes,
    Dialog,
    ExportedSession,
    ImportsSession,
    LogsOut,
)

from .connector import Endpoints, ReferenceConnector, parse
from .login_steps import LoginSteps

PHONE = PhoneCredential("phone")
_KEY, _MARK = ("device", b"key"), ("device", b"mark")


class DeviceConnector(ReferenceConnector, LogsOut):
    """A device that is in. What it missed while it was away can be had."""

    def __init__(self, context: ConnectorContext) -> None:
        super().__init__(context)
        self._session = context.session
        self._mark = 0

    def _token_of(self, context: ConnectorContext) -> str:
        return ""  # the session has it

    async def login(self) -> Identity:
        await self._load()
        return await super().login()

    async def _load(self) -> None:
        self._token = (await self._session.get(*_KEY) or b"").decode()
        self._mark = int(await self._session.get(*_MARK) or b"0")

    async def receive(self, link: Link) -> None:
        """The stream is open before the gap is fetched: the other way round,
        what comes in between would be lost.
        """
        await self._stream(opening=True)
        while missed := await self._ask("history", after=self._mark):
            await self._deliver(link, missed)
        await self._read_stream(link)

    async def _read_stream(self, link: Link) -> None:
        while True:
            messages = await self._stream()
            link.observed()
            if fresh := [message for message in messages if message["number"] > self._mark]:
                await self._deliver(link, fresh)

    async def _stream(self, *, opening: bool = False) -> list[dict[str, Any]]:
        return list(await self._post("/stream", {"token": self._token, "open": opening}))

    async def _deliver(self, link: Link, messages: list[dict[str, Any]]) -> None:
        """The messages, and that we have them, in one unit: neither is on the disk without the other."""
        self._mark = max(self._mark, messages[-1]["number"])
        events = [parse(self._me, message) for message in messages]
        await link.deliver(Batch(events, [SessionChange(*_MARK, str(self._mark).encode())]))

    async def log_out(self) -> None:
        """With the key of the session, or the one that `authorize` has just got:
        `_in` puts it in the same place.
        """
        await self._load()
        await self._ask("log_out")

    # -- getting in ------------------------------------------------------------------------------------------

    async def _begin(self, kind: str, **more: str) -> str:
        return str(await self._login("begin", kind=kind, **more))

    async def _login(self, method: str, **arguments: Any) -> Any:
        return await self._post("/login", {"method": method, "arguments": arguments})

    async def _follow(self, attempt: str, dialog: Dialog) -> Authorization:
        """What the platform says of an attempt, until we are in."""
        seen, steps = 0, LoginSteps(attempt, dialog, self._login)
        while True:
            news = await self._login("wait", attempt=attempt, seen=seen)
            seen = news["number"]
            if news["is"] == "in":
                return await self._in(news["key"])
            await steps.take(news)

    async def _in(self, key: str) -> Authorization:
        self._token = key
        me = await self._ask("me")
        # The first mark: without it all that was ever written would come in as new.
        mark = str(me["newest"]).encode()
        await self._session.commit([SessionChange(*_KEY, key.encode()), SessionChange(*_MARK, mark)])
        return Authorization(Identity(me["id"], display_name=me["name"]))


class QrConnector(DeviceConnector, Authorizes):
    """Let in by a QR code, which the platform replaces now and then."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await self._follow(await self._begin("qr"), dialog)


class CodeConnector(DeviceConnector, Authorizes):
    """Let in by a code that the platform sends to the phone, and by the password where the user has one.

    The platform has no history for it: messages that come while it is away are lost (`Inbound.VOLATILE`).
    """

    def __init__(self, context: ConnectorContext) -> None:
        super().__init__(context)
        self._phone = PHONE.read(context.credentials) or ""

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await self._follow(await self._begin("sent", phone=self._phone), dialog)

    async def receive(self, link: Link) -> None:
        await self._stream(opening=True)
        await self._read_stream(link)


class TypedCodeConnector(CodeConnector):
    """Let in by digits that the user types into his app."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await self._follow(await self._begin("typed", phone=self._phone), dialog)


class ConsentConnector(DeviceConnector, Authorizes):
    """Let in by its token; without one by consent on a page of the platform, and by the passcode where the
    user has one.
    """

    def _token_of(self, context: ConnectorContext) -> str:
        self._given = str(context.credentials.get("token", ""))
        return self._given

    async def _load(self) -> None:
        await super()._load()
        self._token = self._token or self._given

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await self._follow(await self._begin("consent"), dialog)


class SessionConnector(DeviceConnector, ImportsSession):
    """Let in by the key of a device elsewhere: the key itself, or an object that has it.

    The address is the one of the configuration, whatever else the object says.
    """

    takes_pin = True

    async def import_session(self, exported: ExportedSession) -> Authorization:
        key = exported.data.decode(errors="replace").strip()
        if key.startswith("{"):
            key = str(json.loads(key).get("key"))
        if not key.startswith("device-") or exported.pin not in (None, "0000"):
            raise Rejected("invalid_session", "it is no key of a device")
        return await self._in(key)


_BY_TOKEN = ConnectionSpec("token", lambda: ReferenceConnector, (Credential("token"),), Inbound.ACKED)
_BY_CONSENT = ConnectionSpec(
    "token", lambda: ConsentConnector, (Credential("token", required=False),), Inbound.REPLAYABLE
)


def reference(name: str = "line", *, typed: bool = False, consent: bool = False) -> Channel:
    """The channel, in the place of a real one. `typed`: its codes are shown here and typed on the phone.
    `consent`: its token accounts ask for consent where they have no token.
    """
    return Channel(
        name=name,
        endpoints=Endpoints,
        connections=(
            _BY_CONSENT if consent else _BY_TOKEN,
            ConnectionSpec("qrcode", lambda: QrConnector, (), Inbound.REPLAYABLE),
            ConnectionSpec(
                "code",
                lambda: TypedCodeConnector if typed else CodeConnector,
                (PHONE,),
                Inbound.VOLATILE,
                identify=PHONE.read,
            ),
            ConnectionSpec("session", lambda: SessionConnector, (), Inbound.REPLAYABLE),
        ),
    )
