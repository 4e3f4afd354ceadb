"""What a server must not send ends its connection, is not used, and costs neither the login nor a message.

https://core.telegram.org/mtproto/security_guidelines
"""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world
from unifyport.protocols.mtproto import tl
from unifyport.protocols.mtproto.encryption import Envelope, Role, seal, seal_data
from unifyport.protocols.mtproto.identifiers import MessageIds
from unifyport.protocols.mtproto.messages import GZIP_PACKED, Container, Message
from unifyport.protocols.mtproto.unpacking import MAX_UNPACKED
from unifyport.sandbox.telegram.user.authorizations import Session
from unifyport.sandbox.telegram.user.link import Link

IDS = MessageIds(Role.SERVER)
UPDATE = tl.constructor(0xE317AF7E)  # updatesTooLong


def inner(body: bytes) -> Message:
    return Message(IDS.make(time.time()), 1, body)


def sealed(session: Session, body: bytes) -> bytes:
    authorization = session.authorization
    msg_id = IDS.make(time.time())
    envelope = Envelope(authorization.salt, session.protocol.session_id, msg_id, 1, body)
    return seal(authorization.key, envelope, Role.SERVER)


def wrong_key(session: Session) -> bytes:
    packet = bytearray(sealed(session, UPDATE))
    packet[8] ^= 1  # the first byte of msg_key
    return bytes(packet)


def wrong_padding(session: Session) -> bytes:
    """It authenticates, with more padding than is allowed."""
    authorization = session.authorization
    head = tl.int64(authorization.salt) + tl.int64(session.protocol.session_id)
    said = tl.int64(IDS.make(time.time())) + tl.int32(1) + tl.int32(len(UPDATE)) + UPDATE
    return seal_data(authorization.key, head + said + bytes(1200), Role.SERVER)


def container_in_container(session: Session) -> bytes:
    within = Container((inner(UPDATE),)).to_bytes()
    return sealed(session, Container((inner(within),)).to_bytes())


def bomb(session: Session) -> bytes:
    packed = gzip.compress(UPDATE + bytes(MAX_UNPACKED), 9)
    return sealed(session, tl.constructor(GZIP_PACKED) + tl.string(packed))


def of_another_session(session: Session) -> bytes:
    envelope = Envelope(session.authorization.salt, 7, IDS.make(time.time()), 1, UPDATE)
    return seal(session.authorization.key, envelope, Role.SERVER)


def of_a_client(session: Session) -> bytes:
    """Its identifier is even, as those of clients are."""
    protocol, now = session.protocol, int(time.time())
    envelope = Envelope(session.authorization.salt, protocol.session_id, now << 32, 1, UPDATE)
    return seal(session.authorization.key, envelope, Role.SERVER)


@attrs.frozen
class Server:
    """The platform, as far as it serves the account."""

    world: TelegramWorld

    @property
    def session(self) -> Session:
        [authorization] = self.world.user_platform.customers.person(SHOP).authorizations
        return next(each for each in authorization.sessions.values() if each.link is not None)

    @property
    def link(self) -> Link:
        found = self.session.link
        assert found is not None
        return found

    async def tell(self, text: str) -> None:
        await self.world.order("messages", **{"from": MEI, "to": SHOP, "text": text})
        await self.world.inbox.until(lambda: text in self.world.texts(SHOP))


@pytest.mark.parametrize(
    "forge",
    [wrong_key, wrong_padding, container_in_container, bomb, of_another_session, of_a_client],
    ids=lambda forge: forge.__name__,
)
async def test_what_a_server_must_not_send(tmp_path: Path, forge: Callable[[Session], bytes]) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=MEI)
        await world.link(SHOP)
        server = Server(world)
        await server.tell("before")
        former = server.link
        former.write(forge(server.session))
        path = f"/v1/accounts/{world.ids[SHOP]}"
        links = world.user_platform.links
        await world.api.until(lambda found: former not in links and len(links) == 1, path)
        await server.tell("after")
        await world.running(SHOP)
        await world.auth(SHOP, "authorized")
        assert world.texts(SHOP) == ["before", "after"]
        assert not world.received(SHOP, "account.auth.failed")


async def test_a_packet_that_is_sent_again_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=MEI)
        await world.link(SHOP)
        server = Server(world)
        link, protocol = server.link, server.session.protocol
        kept: list[bytes] = []
        flush = protocol.flush

        def keeping(now: float) -> list[bytes]:
            packets = flush(now)
            kept.extend(packets)
            return packets

        monkeypatch.setattr(protocol, "flush", keeping)
        await server.tell("once")
        for packet in list(kept) * 3:
            link.write(packet)
        await server.tell("afterwards")
        assert world.texts(SHOP) == ["once", "afterwards"]
        assert server.link is link
