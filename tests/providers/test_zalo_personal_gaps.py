"""Which missed messages are asked for, and when that ends."""

import attrs
import msgspec
import pytest
import trio
import trio.testing

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import Content, Conversation, MessageReceived, Sender
from unifyport.protocols.zalo_frames import Command, read_frame
from unifyport.providers.contract.base import Batch
from unifyport.providers.records import Records
from unifyport.providers.zalo.personal.gaps import COMMANDS, MAX_REQUESTS, MESSAGES, REACTIONS, Gaps
from unifyport.providers.zalo.personal.inbox import Frame, Inbox
from unifyport.providers.zalo.personal.missed import Missed
from unifyport.providers.zalo.personal.own_changes import OwnChanges
from unifyport.providers.zalo.personal.parse import Read
from unifyport.providers.zalo.personal.records import MARKS, Marks
from unifyport.providers.zalo.personal.references import References
from unifyport.providers.zalo.personal.socket import FrameSocket

USER, GROUP = MESSAGES
HEARD = MessageReceived(b"", Conversation("1", "user"), Sender("1", "user"), Content("1", "text"), 1)


def last_of(request: bytes) -> tuple[int, str | None]:
    frame = read_frame(request)
    return frame.command, msgspec.json.decode(frame.body)["lastId"]


def said(user: int = 0, group: int = 0, known: int = 0) -> Read:
    return Read(events=[object()], last_user=user, last_group=group, known=known)  # type: ignore[list-item]


def test_the_first_connection_looks_only_where_it_is() -> None:
    gaps = Gaps(Marks())
    assert [last_of(request) for request in gaps.requests()] == [(USER, None), (GROUP, None)]
    old = said(user=70)
    assert gaps.take(USER, old) is None
    assert (old.events, gaps.looked_at, gaps.open(MESSAGES)) == ([], Marks(70, None), True)
    assert gaps.take(GROUP, said()) is None
    assert (gaps.looked_at, gaps.open(MESSAGES)) == (Marks(70, 0), False)
    assert not gaps.give_up()


def test_pages_are_asked_for_until_there_is_nothing_newer() -> None:
    gaps = Gaps(Marks(70, 0))
    assert [last_of(request) for request in gaps.requests()] == [(USER, "70"), (GROUP, "0")]
    page = said(user=90)
    following = gaps.take(USER, page)
    assert following is not None
    assert last_of(following) == (USER, "90")
    assert (len(page.events), gaps.after(USER), gaps.after(Command.USER_MESSAGES)) == (1, 90, 0)
    assert gaps.take(USER, said()) is None
    assert gaps.open(MESSAGES)
    newest = gaps.take(GROUP, said())
    assert newest is not None
    assert last_of(newest) == (GROUP, None)
    assert gaps.take(GROUP, said()) is None
    assert not gaps.open(MESSAGES)


def test_an_answer_with_older_messages_only_asks_for_the_newest_once() -> None:
    gaps = Gaps(Marks(70, 1))
    gaps.requests()
    following = gaps.take(USER, said(known=50))
    assert following is not None
    assert last_of(following) == (USER, None)
    assert gaps.take(USER, said(known=50)) is None


def test_a_fetch_has_an_end_and_what_may_be_missing_is_known() -> None:
    gaps = Gaps(Marks(1, 1))
    gaps.requests()
    number = 1
    while gaps.take(USER, said(user=number + 1)) is not None:
        number += 1
    assert number < MAX_REQUESTS + 1
    assert gaps.cut_off(MESSAGES)
    assert gaps.give_up()  # of the groups nothing has come
    assert not gaps.open(MESSAGES)


def test_a_probe_asks_for_what_came_since_then() -> None:
    gaps = Gaps(Marks(70, 0))
    gaps.requests()
    gaps.take(USER, said(user=90))
    gaps.give_up()
    gaps.told(said(user=93))
    assert [last_of(request) for request in gaps.ask_again()] == [(USER, "93"), (GROUP, "0")]
    following = gaps.take(USER, said(user=95))
    assert following is not None
    assert (gaps.open(MESSAGES), gaps.deaf) == (False, False)


def test_two_answers_in_a_row_with_news_show_that_a_socket_is_deaf() -> None:
    gaps = Gaps(Marks(70, 0))
    gaps.requests()
    gaps.give_up()
    for highest in (80, 90):
        assert not gaps.deaf
        gaps.ask_again()
        gaps.take(USER, attrs.evolve(said(user=highest), events=[HEARD]))
        gaps.take(USER, said())  # the page after it
    assert gaps.deaf
    gaps.told(said(user=91))
    assert not gaps.deaf
    for highest in (92, 93):  # messages of our own prove nothing
        gaps.ask_again()
        gaps.take(USER, said(user=highest))
        assert not gaps.deaf


def test_reactions_are_asked_for_by_marks_of_their_own() -> None:
    gaps = Gaps(Marks(70, 80, 75))
    user, group = REACTIONS
    assert [last_of(request) for request in gaps.requests(REACTIONS)] == [(user, "75"), (group, None)]
    gaps.told(said(user=90))
    news = attrs.evolve(said(), last_user_reaction=79)
    following = gaps.take(user, news)
    assert following is not None
    assert last_of(following) == (user, "79")
    assert (len(news.events), gaps.after(user)) == (1, 79)
    before = attrs.evolve(said(), last_group_reaction=60)
    assert gaps.take(group, before) is None
    assert before.events == []
    assert gaps.give_up(REACTIONS)  # the answer about people is missing
    assert gaps.open(MESSAGES)
    assert gaps.looked_at == Marks(70, 80, 79, 60)


class Requests(FrameSocket):
    """A socket that only takes requests."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, frame: bytes) -> None:
        self.sent.append(frame)


class Committed:
    """What an inbox has committed; `marks` is the newest."""

    def __init__(self) -> None:
        self.marks: list[str] = []

    async def deliver(self, batch: Batch) -> None:
        for change in batch.state:
            if change.name == MARKS and change.value is not None:
                self.marks = msgspec.msgpack.decode(change.value)

    def observed(self) -> None:
        pass


@pytest.mark.parametrize("kind", [MESSAGES, REACTIONS], ids=["messages", "reactions"])
async def test_news_that_wait_have_no_durable_mark(kind: tuple[Command, ...]) -> None:
    """The fetch of people's has ended, that of groups' has not: a death would lose the news of people."""
    user, group = kind
    first = COMMANDS.index(user)
    names = ("last_user", "last_group", "last_user_reaction", "last_group_reaction")

    def frame(*highest: int) -> Frame:
        """Of people and of groups."""
        read, marks = Read(), list(Marks().all)
        for number, id_ in enumerate(highest, first):
            setattr(read, names[number], id_)
            marks[number] = id_ or None
        return Frame(read, marks=Marks(*marks))

    async def no_gap(missing: str) -> None:
        raise AssertionError(missing)

    records, committed = Records(MemorySession({})), Committed()
    inbox = Inbox(records, References(records), OwnChanges(), lambda fresh: None)
    missed = Missed(Marks(70, 80, 70, 80), Requests(), inbox, no_gap)
    news = Command.USER_MESSAGES if kind is MESSAGES else Command.REACTIONS
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.run, committed, Marks(70, 80, 70, 80))
        await missed.take(user, frame())
        await missed.take(news, frame(100))
        await missed.take(group, frame(0, 90))
        await trio.testing.wait_all_tasks_blocked()
        assert committed.marks[first : first + 2] == ["70", "90"]
        await missed.take(group, frame())
        await trio.testing.wait_all_tasks_blocked()
        assert committed.marks[first : first + 2] == ["100", "90"]
        nursery.cancel_scope.cancel()
