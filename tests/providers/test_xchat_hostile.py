"""Events of XChat that must never become a message, or a key."""

import base64
import secrets
from typing import Any

import attrs
import pytest

from tests.providers.xchat_account import BOB, EVE, ME, Account
from unifyport.model.inbound import (
    MessageReceived,
    Unparsed,
)
from unifyport.protocols.xchat import decode64, decode_event, encode_event


def _unsigned(event: Any) -> Any:
    return attrs.evolve(event, signature=None)


def _other_contents(event: Any) -> Any:
    create = event.detail.message_create
    changed = create.contents[:-1] + bytes([create.contents[-1] ^ 1])
    create = attrs.evolve(create, contents=changed)
    return attrs.evolve(event, detail=attrs.evolve(event.detail, message_create=create))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_unsigned, "unsigned"),
        (_other_contents, "signature_wrong"),
        (lambda event: attrs.evolve(event, message_id="another"), "signature_wrong"),
        (lambda event: attrs.evolve(event, sender_id=ME), "signer_unknown"),  # re-attributed
        (lambda event: attrs.evolve(event, sender_id=EVE), "sender_not_in_conversation"),
        (lambda event: attrs.evolve(event, conversation_id=f"{ME}:{EVE}"), "sender_not_in_conversation"),
        (lambda event: attrs.evolve(event, conversation_id=f"{BOB}:{EVE}"), "not_our_conversation"),
        (lambda event: attrs.evolve(event, conversation_id=f"{BOB}:{ME}"), "not_our_conversation"),
        (lambda event: attrs.evolve(event, conversation_id="g5"), "signature_wrong"),
        (lambda event: attrs.evolve(event, message_id="x" * 65), "malformed_message_id"),
        (lambda event: attrs.evolve(event, sender_id="-1"), "malformed_sender"),
    ],
)
async def test_what_is_not_signed_as_it_stands_is_quarantined(change: Any, reason: str) -> None:
    account = await Account.new()
    sent = account.people.write(BOB, ME, "genuine")
    account.people.enrol(EVE)
    forged = encode_event(change(decode_event(sent.encoded)))
    *_, genuine = await account.open_all(BOB)
    (found,) = await account.open(forged)
    assert isinstance(found, Unparsed)
    assert found.reason == reason
    assert found.raw
    assert found.conversation is None  # so it is shown as no message
    assert found.key != genuine.key  # and keeps no genuine one out


@pytest.mark.parametrize("encoded", ["", "!!", "AAAA", "DAAB" * 1000, "A" * 2_000_000, "CwABAAAAATU="])
async def test_bytes_that_are_no_event(encoded: str) -> None:
    account = await Account.new()
    (found,) = await account.open(encoded)
    assert isinstance(found, Unparsed)


async def test_random_changes_of_an_event_never_make_another_message() -> None:
    account = await Account.new()
    sent = account.people.write(BOB, ME, "genuine")
    await account.open_all(BOB)
    raw = bytearray(base64.b64decode(sent.encoded))
    forged = []
    for _ in range(150):
        changed = bytearray(raw)
        changed[secrets.randbelow(len(raw))] ^= 1 << secrets.randbelow(8)
        forged.append(base64.b64encode(changed).decode())
    for event in await account.open(*forged):
        if isinstance(event, MessageReceived):  # what changed is not signed, such as a sequence id
            assert (event.content.id, event.content.text) == (sent.message_id, "genuine")


async def test_an_edit_and_a_deletion_of_another_ones_message_are_quarantined() -> None:
    account = await Account.new()
    group = account.people.make_group(BOB, [ME, EVE], "Team")
    target = account.people.write(BOB, group.id, "mine")
    edit = account.people.edit(EVE, target, "not yours")
    signed = account.people.people[EVE].chat.prepare_message_delete(group.id, [str(target.sequence)], True)
    event = attrs.evolve(
        decode_event(edit.encoded),
        message_id=signed["message_id"],
        detail=decode64(type(decode_event(edit.encoded).detail), signed["encoded_message_event_detail"]),
    )
    assert event.signature is not None
    event = attrs.evolve(event, signature=attrs.evolve(event.signature, signature=signed["signature"]))
    account.state.append(encode_event(event), "delete")
    *_, edited, deleted = await account.open_all(group.id)
    assert isinstance(edited, Unparsed)
    assert isinstance(deleted, Unparsed)
    assert (edited.reason, deleted.reason) == ("edit_of_another", "deletion_of_another")


async def test_a_message_without_a_key_is_shown_as_such_once_its_signature_holds() -> None:
    account = await Account.new()
    sent = account.people.write(BOB, ME, "lost")
    account.state.conversations[f"{ME}:{BOB}"].keys.clear()
    (event,) = await account.open(sent)
    assert isinstance(event, MessageReceived)
    assert (event.content.kind, event.content.type) == ("undecryptable", "unknown")
    (forged,) = await account.open(encode_event(_other_contents(decode_event(sent.encoded))))
    assert isinstance(forged, Unparsed)


async def test_a_key_that_no_participant_has_signed_is_not_taken() -> None:
    account = await Account.new()
    stranger = account.people.enrol(EVE)
    keys = [account.people.enrol(user).public for user in (ME, BOB)]
    made = stranger.chat.prepare_conversation_key_change(
        [{"user_id": k.user, "public_key": k.identity, "key_version": str(k.version)} for k in keys],
        conversation_id=f"{ME}:{BOB}",
    )
    sent = account.people.write(BOB, ME, "x")  # makes the conversation
    change = next(iter(account.state.conversations[f"{ME}:{BOB}"].keys.values()))
    signed = made["action_signatures"][0]
    event = attrs.evolve(
        decode_event(change.encoded),
        sender_id=BOB,
        message_id=signed["message_id"],
        detail=decode64(type(decode_event(change.encoded).detail), signed["encoded_message_event_detail"]),
    )
    (found,) = await account.open(encode_event(event))
    assert isinstance(found, Unparsed)
    names = [name for name, _ in account.session.records]
    assert "xchat_key" not in names
    await account.open(sent)
    assert len([name for name, _ in account.session.records if name == "xchat_key"]) == 1


async def test_a_peer_who_rotates_is_read_and_a_known_version_is_never_replaced() -> None:
    account = await Account.new()
    await account.open(account.people.write(BOB, ME, "one"))
    person = account.people.renew(BOB)
    account.people.rotate(BOB, ME)
    (event,) = await account.open(account.people.write(BOB, ME, "two"))
    assert isinstance(event, MessageReceived)
    assert event.content.text == "two"
    other = account.people.enrol("999").public
    person.public.identity, person.public.signing = other.identity, other.signing
    person.public.binding = other.binding
    again = await account.again()
    (event,) = await again.open(account.people.write(BOB, ME, "three"))
    assert isinstance(event, MessageReceived)


async def test_without_keys_messages_are_shown_as_encrypted_if_they_are_signed() -> None:
    account = await Account.new(ready=False)
    sent = account.people.write(BOB, ME, "secret")
    (event,) = await account.open(sent)
    assert isinstance(event, MessageReceived)
    assert (event.content.text, event.content.kind) == ("[encrypted message]", "encrypted")
    (forged,) = await account.open(encode_event(_unsigned(decode_event(sent.encoded))))
    assert isinstance(forged, Unparsed)
