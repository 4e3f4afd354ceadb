"""History of a linked phone: what is taken of it shows in later sends and events."""

import os
import time
from pathlib import Path

import trio
from google.protobuf import json_format

from tests.device_world import MEI, SHOP, DeviceWorld, device_world
from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp.history_pb2 import HistorySync
from unifyport.protocols.whatsapp.message_secrets import Purpose, Target, new_secret, seal_addition
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message, ReactionMessage

CHAT = f"{MEI}@s.whatsapp.net"


async def share(world: DeviceWorld, sync: HistorySync) -> None:
    await world.do(
        "history", phone=SHOP, sync=json_format.MessageToDict(sync, preserving_proto_field_name=True)
    )
    await world.settled(SHOP)


async def until_sent(world: DeviceWorld) -> None:
    """Send until it succeeds: a blob is read a moment after it was acknowledged."""
    with trio.fail_after(20):
        while (await world.send(SHOP, MEI)).status_code != 200:
            await trio.lowlevel.checkpoint()


def with_token(world: DeviceWorld) -> HistorySync:
    """History with a token of MEI's that the platform knows, and a timer of a day."""
    shop, mei, token = world.account(SHOP), world.account(MEI), os.urandom(16)
    shop.tokens[mei] = token, time.time()
    sync = HistorySync(syncType="RECENT")
    sync.conversations.add(
        ID=str(mei.lid_jid),
        pnJID=str(mei.phone_jid),
        tcToken=token,
        tcTokenTimestamp=int(time.time()),
        ephemeralExpiration=86_400,
        ephemeralSettingTimestamp=int(time.time()),
    )
    return sync


async def test_tokens_and_timers_of_history_go_along_with_messages(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        assert (await world.send(SHOP, MEI)).json()["error"]["reason"] == "contact_not_reachable"
        await share(world, with_token(world))
        await until_sent(world)
        with trio.fail_after(10):  # the timer may be read after the token
            while "extendedTextMessage" not in (told := (await world.sent())[-1]["message"]):
                await until_sent(world)
        assert told["extendedTextMessage"]["contextInfo"]["expiration"] == 86_400


async def test_the_salt_of_history_makes_tokens(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        assert (await world.send(SHOP, MEI)).status_code != 200
        shop, mei = world.account(SHOP), world.account(MEI)
        sync = HistorySync(syncType="NON_BLOCKING_DATA", nctSalt=shop.contact_salt)
        sync.phoneNumberToLidMappings.add(pnJID=str(mei.phone_jid), lidJID=str(mei.lid_jid))
        await share(world, sync)
        await until_sent(world)


async def test_a_blob_that_cannot_be_fetched_is_read_after_the_next_login(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        await world.order("faults", kind="garbage", method="download", count=100)
        await share(world, with_token(world))
        with trio.fail_after(10):
            while "download" not in [call["method"] for call in world.relay.connections]:
                await trio.lowlevel.checkpoint()
        assert (await world.send(SHOP, MEI)).status_code != 200
        await world.platform.http.delete("/sandbox/whatsapp-device/faults")
        logins = world.device(SHOP).logins
        await world.do("stream_error", phone=SHOP, code=515)
        await world.logged_in(SHOP, logins + 1)
        await until_sent(world)


async def test_a_damaged_blob_costs_only_itself(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        media = world.relay.media
        damaged = media.put

        def put(content: bytes, kind: str) -> str:
            assert kind == "md-msg-hist"
            return damaged(content[:-1] + b"x", kind)

        media.put = put  # type: ignore[method-assign]
        await share(world, with_token(world))
        media.put = damaged  # type: ignore[method-assign]
        await share(world, with_token(world))
        await until_sent(world)


async def test_a_secret_of_history_opens_what_is_added_to_its_message(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        mei, secret = world.account(MEI), new_secret()
        sync = with_token(world)
        [chat] = sync.conversations
        for message_id, at in (("3AOLD", int(time.time())), ("3AANCIENT", 1_500_000_000)):
            info = chat.messages.add().message
            info.key.remoteJID, info.key.ID = str(mei.lid_jid), message_id
            info.messageTimestamp, info.messageSecret = at, secret
        await share(world, sync)
        await until_sent(world)
        for message_id in ("3AANCIENT", "3AOLD"):
            await world.order(
                "messages", **{"from": MEI}, to=SHOP, message=reaction(message_id, secret, mei.lid_jid)
            )
        await world.inbox.until(lambda: world.received(SHOP, "message.reaction"))
        [event] = world.received(SHOP, "message.reaction")
        assert (event["target_message_id"], event["reaction"]) == ("3AOLD", "👍")
        assert [
            each["data"]["event"]["target_message_id"] for each in world.named(SHOP, "encrypted_reaction")
        ] == ["3AANCIENT"]


def reaction(message_id: str, secret: bytes, jid: Jid) -> object:
    plain = ReactionMessage(text="👍").SerializeToString()
    sealed = seal_addition(plain, Target(message_id, secret), Purpose.REACTION, sender=jid, user=jid)
    message = Message()
    message.encReactionMessage.targetMessageKey.ID = message_id
    message.encReactionMessage.encPayload, message.encReactionMessage.encIV = sealed.payload, sealed.iv
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
