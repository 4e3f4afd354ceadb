"""What the layer keeps of keys, when something comes between reading and keeping, or comes late."""

from collections.abc import Sequence

import attrs
from trio.testing import MockClock

from tests.providers.xchat_account import BOB, ME, Account, Direct
from unifyport.model.inbound import MessageReceived, Unparsed
from unifyport.model.message import OutboundText
from unifyport.providers.x.xchat.records import KEY, PUBLIC, ConversationKey
from unifyport.providers.x.xchat.transport import PublicKey


async def test_keys_of_a_batch_that_came_to_nothing_are_kept_with_the_next_one() -> None:
    """As where the delivery of the first one was cancelled."""
    account = await Account.new()
    account.people.write(BOB, ME, "hello")
    events = [event.encoded for event in account.state.conversation(ME, BOB).events]
    await account.chat.open_events(events)
    assert not [name for name, _ in account.session.records if name in (KEY, PUBLIC)]
    await account.open(*events)
    assert {name for name, _ in account.session.records} >= {KEY, PUBLIC}
    await account.chat.sending.send(
        OutboundText(conversation_id=BOB, conversation_type="user", text="answer")
    )
    place = account.state.conversation(ME, BOB)
    assert len(place.keys) == 1  # no other key was made


@attrs.define
class Late(Direct):
    """X does not give these users' keys yet."""

    hidden: set[str] = attrs.field(factory=set)

    async def public_keys(self, user_ids: Sequence[str]) -> list[PublicKey]:
        found = await Direct.public_keys(self, user_ids)
        return [key for key in found if key.user_id not in self.hidden]


async def test_a_public_key_that_comes_late_is_asked_for_again(mock_clock: MockClock) -> None:
    account = await Account.new()
    account.transport = late = Late(account.state, ME, hidden={BOB})
    account = await account.again()
    account.people.write(BOB, ME, "hello")
    for _ in range(2):
        *_, found = await account.open_all(BOB)
        assert isinstance(found, Unparsed)
        assert found.reason == "signer_unknown"
    assert late.asked.count((BOB,)) == 1
    late.hidden.clear()
    mock_clock.jump(61)
    *_, found = await account.open_all(BOB)
    assert isinstance(found, MessageReceived)


async def test_the_newest_versions_of_a_persons_keys_are_kept() -> None:
    account = await Account.new()
    for _ in range(20):
        account.people.renew(BOB)
        account.people.rotate(BOB, ME)
        account.people.write(BOB, ME, "under another key")
    *_, found = await account.open_all(BOB)
    assert isinstance(found, MessageReceived)
    assert found.content.text == "under another key"


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(ConversationKey(b"secret" * 5, True))
