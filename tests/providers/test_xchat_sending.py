"""Commands to XChat: what is sent is decrypted by the people it is for, and known again when X reports it."""

from pathlib import Path

import pytest

from tests.providers.xchat_account import BOB, EVE, ME, Account
from unifyport.model.inbound import Ignored, PlatformEvent, Status, StatusChanged
from unifyport.model.message import OutboundMedia, OutboundText
from unifyport.providers.contract.capabilities import Target
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.x.xchat.heads import read_item

PAIR = f"{ME}:{BOB}"


def _text(text: str, to: str = BOB) -> OutboundText:
    return OutboundText(to, "user", text)


async def test_the_first_message_to_somebody_brings_a_key() -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    sent = await account.chat.sending.send(_text("hello"))
    assert account.session.marked == [sent.message_id]
    assert sent.provider_ref == f"{ME}-{BOB}"
    assert [event["content"]["text"] for event in account.people.told(BOB, ME) if "content" in event] == [
        "hello"
    ]
    await account.chat.sending.send(_text("again"))
    assert len(account.state.conversations[PAIR].keys) == 1


async def test_what_we_sent_settles_its_command_also_after_a_restart() -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    sent = await account.chat.sending.send(_text("hello"))
    account = await account.again()
    key, event = await account.open_all(BOB)
    assert isinstance(key, Ignored)
    assert isinstance(event, StatusChanged)
    assert (event.status, event.client_ref, event.message_ids) == (
        Status.SENT,
        sent.message_id,
        [sent.message_id],
    )
    (elsewhere,) = await account.open(account.people.write(ME, BOB, "by phone"))
    assert isinstance(elsewhere, PlatformEvent)
    assert (elsewhere.name, elsewhere.direction) == ("message_echo", "outbound")


async def test_replies_reactions_edits_deletions_and_reads_reach_the_other_side() -> None:
    account = await Account.new()
    first = account.people.write(BOB, ME, "question")
    await account.open_all(BOB)
    chat = account.chat
    answer = await chat.sending.send(_text("answer"), first.message_id)
    theirs = Target(BOB, first.message_id, BOB)
    await chat.changing.react(theirs, "👍")
    await chat.changing.react(theirs, "🎉")
    await chat.changing.react(theirs, "")
    await chat.changing.edit(Target(BOB, answer.message_id), "better answer")
    await chat.changing.mark_read(BOB, first.message_id)
    await chat.changing.revoke(Target(BOB, answer.message_id))
    told = account.people.told(BOB, ME)[2:]
    assert [event.get("content", {}).get("content_type", event["type"]) for event in told] == [
        "Text",
        "Reaction",
        "ReactionRemoved",
        "Reaction",
        "ReactionRemoved",
        "Edit",
        "ReadReceipt",
        "MessageDeleted",
    ]
    assert told[0]["reply_preview_validation"] == "Valid"
    assert told[5]["content"]["new_text"] == "better answer"
    assert account.state.conversations[PAIR].read[ME] == first.sequence
    events = await account.open_all(BOB)
    assert not [
        event for event in events if isinstance(event, PlatformEvent) and event.name == "message_echo"
    ]
    with pytest.raises(Rejected, match="not_own_message"):
        await chat.changing.edit(theirs, "x")
    with pytest.raises(Rejected, match="message_not_found"):
        await chat.changing.revoke(Target(BOB, "unknown"))


async def test_a_message_under_an_old_key_is_made_again_under_the_new_one() -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    await account.chat.sending.send(_text("one"))
    account.people.rotate(BOB, ME)
    sent = await account.chat.sending.send(_text("two"))
    texts = [(e["id"], e["content"]["text"]) for e in account.people.told(BOB, ME) if "content" in e]
    assert texts[-1] == (sent.message_id, "two")
    assert len(texts) == 2
    [first] = account.session.marked[1:]
    *_, event = await account.open_all(BOB)
    assert isinstance(event, StatusChanged)  # the second try is the end of the command, if its answer is lost
    assert (event.client_ref, event.message_ids, first != sent.message_id) == (first, [sent.message_id], True)
    assert not [key for name, key in account.session.records if name == "xchat_sent"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (11, "looks_like_spam"),
        (9, "encrypted_only"),
        (6, "conversation_key_out_of_date"),
        (99, "refused_by_x"),
    ],
)
async def test_a_failure_in_the_answer_is_a_refusal(number: int, reason: str) -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    account.transport.fail_with.append(number)
    with pytest.raises(Rejected, match=reason):
        await account.chat.sending.send(_text("hello"))


async def test_a_failure_that_comes_later_is_the_end_of_that_send_only() -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    sent = await account.chat.sending.send(_text("hello"))
    (failed,) = await account.open(account.state.fail(ME, BOB, sent.message_id, 11))
    assert isinstance(failed, StatusChanged)
    assert (failed.status, failed.client_ref) == (Status.FAILED, sent.message_id)
    (other,) = await account.open(account.state.fail(ME, BOB, "somebody-elses", 11))
    assert isinstance(other, Ignored)


async def test_a_key_is_wrapped_only_for_bound_public_keys() -> None:
    account = await Account.new()
    bob, eve = account.people.enrol(BOB).public, account.people.enrol(EVE).public
    bob.identity = eve.identity  # the server gives Eve's key out as Bob's
    with pytest.raises(Rejected, match="recipient_without_keys"):
        await account.chat.sending.send(_text("secret"))
    assert not account.session.marked
    assert not await account.chat.reachable(PAIR)
    with pytest.raises(Rejected, match="recipient_without_keys"):
        await account.chat.sending.send(_text("secret", "777"))


async def test_an_untrusted_key_never_encrypts() -> None:
    """A group's key whose maker X no longer names: it opens messages, and nothing is sent with it."""
    account = await Account.new()
    group = account.people.make_group(EVE, [ME, BOB], "Team")
    account.people.write(BOB, group.id, "hello")
    account.state.users.pop(EVE)
    events = await account.open_all(group.id)
    assert any(getattr(getattr(event, "content", None), "text", "") == "hello" for event in events)
    with pytest.raises(Rejected, match="conversation_without_key"):
        await account.chat.sending.send(_text("hi", group.id))


async def test_a_file_and_a_new_group(tmp_path: Path) -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"jpeg" * 400_000)
    size = path.stat().st_size
    message = OutboundMedia(
        BOB, "user", "look", type="image", path=str(path), name="photo.jpg", mime_type="image/jpeg", size=size
    )
    await account.chat.sending.send(message)
    event = account.people.told(BOB, ME)[-1]
    (file,) = event["attachments"]
    assert (event["content"]["text"], file["media_type"], file["filename"]) == ("look", "image", "photo.jpg")
    found = account.people.file(BOB, ME, file["media_hash_key"], event["key_version"])
    assert found == path.read_bytes()
    account.people.enrol(EVE)
    await account.chat.changing.create_group("g77", "Team", [BOB, EVE])
    await account.chat.sending.send(_text("welcome", "g77"))
    assert account.people.told(EVE, "g77")[-1]["content"]["text"] == "welcome"


async def test_the_answer_of_a_send_is_read_as_hostile() -> None:
    account = await Account.new()
    account.people.enrol(BOB)
    sent = await account.chat.sending.send(_text("hello"))
    assert (
        read_item(account.state.conversations[PAIR].events[-1].encoded, ME).head.message_id == sent.message_id
    )

    account.transport.answer = account.state.conversations[PAIR].events[-1].encoded
    with pytest.raises(Exception, match="malformed_answer"):
        await account.chat.sending.send(_text("again"))


async def test_a_reaction_goes_out_whatever_other_devices_did() -> None:
    account = await Account.new()
    first = account.people.write(BOB, ME, "question")
    await account.open_all(BOB)
    theirs = Target(BOB, first.message_id, BOB)
    await account.chat.changing.react(theirs, "👍")
    await account.open_all(BOB)
    await account.open(account.people.react(ME, first, "👍", removed=True))
    await account.chat.changing.react(theirs, "👍")
    await account.chat.changing.react(theirs, "👍")  # X may not have the one before: its answer may be lost
    await account.open(account.people.react(ME, first, "🎉"))
    await account.chat.changing.react(theirs, "")
    told = [event["content"] for event in account.people.told(BOB, ME) if "content" in event]
    assert [(each["content_type"], each.get("emoji")) for each in told[1:]] == [
        ("Reaction", "👍"),
        ("ReactionRemoved", "👍"),
        ("Reaction", "👍"),
        ("Reaction", "👍"),
        ("Reaction", "🎉"),
        ("ReactionRemoved", "🎉"),
    ]


async def test_old_messages_are_forgotten_with_what_is_known_of_them() -> None:
    account = await Account.new()
    old, deleted = (account.people.write(BOB, ME, text) for text in ("old", "deleted"))
    before = {key for key in account.session.records if not key[0].startswith("xchat_key")}
    await account.open_all(BOB)
    for each in (old, deleted):
        await account.chat.changing.react(Target(BOB, each.message_id, BOB), "👍")
    await account.open(account.people.delete(BOB, deleted))
    await account.chat.sweep()
    left = [name for name, _ in account.session.records]
    assert [left.count(name) for name in ("xchat_message", "xchat_sequence", "xchat_reaction")] == [1, 1, 1]
    account.chat._clock.now_ms = lambda: 4_000_000_000_000  # type: ignore[method-assign]
    await account.chat.sweep()
    assert {name for name, _ in account.session.records.keys() - before} <= {"xchat_key", "xchat_public"}
