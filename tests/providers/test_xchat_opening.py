"""Events of XChat: what people write, and how it is told."""

import secrets

import pytest

from tests.providers.xchat_account import BOB, EVE, ME, Account
from unifyport.model.inbound import (
    GroupChanged,
    Ignored,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ReactionChanged,
    Status,
    StatusChanged,
)
from unifyport.providers.x.xchat.contents import AUDIO, FileHandle
from unifyport.providers.x.xchat.files import read_handle


async def test_text_reply_reaction_edit_and_deletion() -> None:
    account = await Account.new()
    first = account.people.write(BOB, ME, "xin chào ☺")
    quoted = account.people.write(BOB, ME, "and this", quoted=first)
    later = [
        account.people.react(BOB, first, "👍"),
        account.people.react(BOB, first, "👍", removed=True),
        account.people.edit(BOB, first, "edited"),
        account.people.delete(BOB, quoted),
    ]
    key, text, reply, *rest = await account.open_all(BOB)
    assert isinstance(key, Ignored)
    assert isinstance(text, MessageReceived)
    assert isinstance(reply, MessageReceived)
    assert (text.content.id, text.content.text, text.content.type) == (first.message_id, "xin chào ☺", "text")
    assert (text.conversation.id, text.conversation.type, text.sender.id) == (BOB, "user", BOB)
    assert reply.content.reply_to_message_id == first.message_id
    added, removed, edited, deleted = rest
    assert isinstance(added, ReactionChanged)
    assert isinstance(removed, ReactionChanged)
    assert (added.target_message_id, added.emoji, removed.emoji) == (first.message_id, "👍", "")
    assert isinstance(edited, MessageEdited)
    assert (edited.content.id, edited.content.text) == (first.message_id, "edited")
    assert isinstance(deleted, MessageDeleted)
    assert deleted.message_ids == [quoted.message_id]
    again = await (await account.again()).open(*later)
    assert [event.key for event in again] == [event.key for event in rest]


async def test_a_repeat_has_the_key_of_its_signed_id_whatever_its_sequence_id_is() -> None:
    account = await Account.new()
    sent = account.people.write(BOB, ME, "once")
    replayed = account.state.append(sent.encoded, "message")
    assert replayed.sequence != sent.sequence
    first, second = (await account.open_all(BOB))[1:]
    assert first.key == second.key


async def test_groups_key_changes_and_reads() -> None:
    account = await Account.new()
    group = account.people.make_group(BOB, [ME, EVE], "Team")
    first = account.people.write(EVE, group.id, "one")
    account.people.rotate(BOB, group.id)
    second = account.people.write(EVE, group.id, "two")
    account.people.read(BOB, second)
    events = await account.open_all(group.id)
    texts = [event.content.text for event in events if isinstance(event, MessageReceived)]
    assert texts == ["one", "two"]
    made = next(event for event in events if isinstance(event, PlatformEvent))
    assert made.name == "chat.group.Created"
    receipt = events[-1]
    assert isinstance(receipt, StatusChanged)
    assert (receipt.status, receipt.message_ids) == (Status.READ, [second.message_id])
    assert receipt.participant is not None
    assert receipt.participant.id == BOB
    assert not [event for event in events if isinstance(event, GroupChanged)]
    assert first.key_version != second.key_version


async def test_a_key_that_is_not_known_is_asked_for_once() -> None:
    account = await Account.new()
    sent = account.people.write(BOB, ME, "late")
    (event,) = await account.open(sent)
    assert isinstance(event, MessageReceived)
    assert event.content.text == "late"
    assert (f"{ME}:{BOB}", sent.key_version) in account.transport.asked
    account.transport.asked.clear()
    await account.open(account.people.write(BOB, ME, "later"))
    assert account.transport.asked == []


async def test_a_file_is_decrypted_with_the_key_of_its_message() -> None:
    account = await Account.new()
    content = secrets.token_bytes(1_300_000)
    sent = account.people.send_file(BOB, ME, "look", content, kind=AUDIO, name="a.ogg")
    account.people.rotate(BOB, ME)
    *_, event, _ = await account.open_all(BOB)
    assert isinstance(event, MessageReceived)
    (file,) = event.content.attachments
    assert (file.type, file.title, file.size, event.content.text) == ("audio", "a.ogg", len(content), "look")
    assert await _fetched(account, file.handle, len(content)) == content
    handle = FileHandle(f"{ME}:{BOB}", file.file_id, sent.key_version or 0)
    account.state.files[handle.media_hash] = account.state.files[handle.media_hash][:-20]
    with pytest.raises(Exception, match="media_damaged"):
        await _fetched(account, file.handle, len(content))
    with pytest.raises(Exception, match="too_large"):
        await _fetched(account, file.handle, 1000)


async def _fetched(account: Account, handle: bytes, limit: int) -> bytes:
    data = bytearray()

    async def sink(piece: bytes) -> None:
        data.extend(piece)

    found = read_handle(handle)
    assert found is not None
    await account.chat.download(found, sink, limit)
    return bytes(data)


async def test_an_edit_whose_message_was_never_seen_is_told() -> None:
    account = await Account.new()
    first = account.people.write(BOB, ME, "never seen")
    (event,) = await account.open(account.people.edit(BOB, first, "edited"))
    assert isinstance(event, MessageEdited)
    assert (event.content.id, event.content.text) == (str(first.sequence), "edited")


async def test_an_edit_names_its_place_among_edits() -> None:
    account = await Account.new()
    first = account.people.write(BOB, ME, "one")
    edits = [account.people.edit(BOB, first, text) for text in ("two", "three")]
    await account.open(first)
    newer, older = await account.open(edits[1], edits[0])
    assert isinstance(newer, MessageEdited)
    assert isinstance(older, MessageEdited)
    assert (newer.edited_at, newer.number) > (older.edited_at, older.number)
