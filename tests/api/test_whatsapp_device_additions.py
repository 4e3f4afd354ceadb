"""Votes, reactions and edits that are encrypted under a message's secret, and changes that are not the
sender's to make.
"""

from pathlib import Path
from typing import Any

from google.protobuf import json_format

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world
from unifyport.protocols.whatsapp.message_secrets import (
    Purpose,
    Target,
    new_secret,
    option_hash,
    seal_addition,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import (
    Message,
    PollVoteMessage,
    ProtocolMessage,
    ReactionMessage,
)
from unifyport.sandbox.whatsapp.device.directory import Account

POLL = "3APOLL"
TARGET = Target(POLL, new_secret())


async def write(world: DeviceWorld, sender: str, to: str, message: Message, **more: Any) -> str:
    shown = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return (await world.order("messages", **{"from": sender}, to=to, message=shown, **more))["message_id"]


async def write_poll(world: DeviceWorld, sender: str, to: str) -> None:
    poll = Message()
    poll.messageContextInfo.messageSecret = TARGET.secret
    poll.pollCreationMessageV3.name = "Tea or coffee?"
    for option in ("Tea", "Coffee"):
        poll.pollCreationMessageV3.options.add(optionName=option)
    await write(world, sender, to, poll, id=POLL)


def vote(sender: Account, user: Account, *options: bytes, lid: bool) -> Message:
    plain = PollVoteMessage(selectedOptions=options).SerializeToString()
    sealed = seal_addition(
        plain, TARGET, Purpose.POLL_VOTE, sender=sender.jid(lid=lid), user=user.jid(lid=lid)
    )
    message = Message()
    message.pollUpdateMessage.pollCreationMessageKey.ID = POLL
    message.pollUpdateMessage.vote.encPayload, message.pollUpdateMessage.vote.encIV = (
        sealed.payload,
        sealed.iv,
    )
    return message


def change(type_: Any, message_id: str, text: str = "") -> Message:
    message = Message()
    message.protocolMessage.type = type_
    message.protocolMessage.key.ID = message_id
    if text:
        message.protocolMessage.editedMessage.conversation = text
    return message


async def test_votes_name_the_options(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        for phone in (MEI, TOM):
            await world.do("account", phone=phone)
        group = (await world.do("group", subject="Ops", phones=[SHOP, MEI, TOM]))["id"]
        await write_poll(world, MEI, group)
        mei, tom = world.account(MEI), world.account(TOM)
        unknown = option_hash("Water")
        await write(world, TOM, group, vote(mei, tom, option_hash("Coffee"), unknown, lid=True))
        await write(world, MEI, group, vote(mei, mei, lid=False))
        await write(world, TOM, group, vote(tom, mei, option_hash("Tea"), lid=True))  # not TOM's poll
        await world.inbox.until(lambda: len(world.named(SHOP, "poll_vote")) == 3)
        details = [event["data"]["event"] for event in world.named(SHOP, "poll_vote")]
        assert {each["target_message_id"] for each in details} == {POLL}
        assert [each.get("options") for each in details] == [["Coffee", unknown.hex()], [], None]


async def test_encrypted_reactions_and_edits_are_reactions_and_edits(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        mei = world.account(MEI)
        await write_poll(world, MEI, SHOP)
        for content in (Message(conversation="Tea?"), change(ProtocolMessage.MESSAGE_EDIT, POLL, "Tea!")):
            sealed = seal_addition(
                content.SerializeToString(),
                TARGET,
                Purpose.MESSAGE_EDIT,
                sender=mei.lid_jid,
                user=mei.phone_jid,
            )
            edit = Message()
            edit.secretEncryptedMessage.targetMessageKey.ID = POLL
            edit.secretEncryptedMessage.secretEncType = edit.secretEncryptedMessage.MESSAGE_EDIT
            edit.secretEncryptedMessage.encPayload = sealed.payload
            edit.secretEncryptedMessage.encIV = sealed.iv
            await write(world, MEI, SHOP, edit)
        sealed = seal_addition(
            ReactionMessage(text="👍").SerializeToString(),
            TARGET,
            Purpose.REACTION,
            sender=mei.lid_jid,
            user=mei.lid_jid,
        )
        reaction = Message()
        reaction.encReactionMessage.targetMessageKey.ID = POLL
        reaction.encReactionMessage.encPayload, reaction.encReactionMessage.encIV = sealed.payload, sealed.iv
        await write(world, MEI, SHOP, reaction)
        await world.inbox.until(lambda: world.received(SHOP, "message.reaction"))
        assert [event["text"] for event in world.received(SHOP, "message.updated")] == ["Tea?", "Tea!"]
        assert {event["message_id"] for event in world.received(SHOP, "message.updated")} == {POLL}
        assert world.received(SHOP, "message.reaction")[0]["target_message_id"] == POLL


async def test_nobody_changes_what_somebody_else_wrote(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        for phone in (MEI, TOM):
            await world.do("account", phone=phone)
        group = (await world.do("group", subject="Ops", phones=[SHOP, MEI, TOM]))["id"]
        ours = (await world.send(SHOP, MEI, "the price is 100")).json()["data"]["message_id"]
        theirs = await write(world, MEI, group, Message(conversation="the price is 100"))
        await write(world, MEI, SHOP, Message(conversation="taken over"), id=ours)
        await write(world, MEI, SHOP, change(ProtocolMessage.MESSAGE_EDIT, ours, "the price is 1"))
        await write(world, MEI, SHOP, change(ProtocolMessage.REVOKE, ours))
        await write(world, TOM, group, change(ProtocolMessage.MESSAGE_EDIT, theirs, "the price is 1"))
        await write(world, MEI, group, change(ProtocolMessage.MESSAGE_EDIT, theirs, "the price is 90"))
        await write(world, TOM, group, change(ProtocolMessage.REVOKE, theirs))  # as an admin may
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        await world.inbox.until(lambda: len(world.named(SHOP, "foreign_change")) == 3)
        events = world.named(SHOP, "foreign_change")
        foreign = [event["data"]["event"]["target_message_id"] for event in events]
        assert sorted(foreign) == sorted([ours, ours, theirs])
        assert [event["text"] for event in world.received(SHOP, "message.updated")] == ["the price is 90"]
        assert [event["message_id"] for event in world.received(SHOP, "message.deleted")] == [theirs]
