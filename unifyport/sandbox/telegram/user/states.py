"""The state of updates, and what came after a state that a client knows.

https://core.telegram.org/api/updates#recovering-gaps
"""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import updates

from .directory import Channel, Entry, Person
from .errors import bad
from .peers import described, find_channel, peer

if TYPE_CHECKING:
    from .server import Call, Server

_NEW = (T.UpdateNewMessage, T.UpdateNewChannelMessage)


class States:
    """`slice`: entries of one difference of an account; `most`: over that many the answer is "too long";
    `channel_slice`, `channel_most`: of a channel. `stuck`: slices do not move on.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.slice = 100
        self.most = 100_000
        self.channel_slice = 100
        self.channel_most = 10_000
        self.timeout = 30
        self.stuck = False
        server.handlers |= {
            F.updates.GetStateRequest: self._state,
            F.updates.GetDifferenceRequest: self._difference,
            F.updates.GetChannelDifferenceRequest: self._channel_difference,
        }

    def _state(self, call: "Call", query: Any) -> Any:
        return self._state_at(call.person, call.person.box.pts)

    def _state_at(self, person: Person, pts: int) -> Any:
        return updates.State(pts=pts, qts=0, date=self._server.now, seq=1, unread_count=0)

    def _difference(self, call: "Call", query: Any) -> Any:
        person = call.person
        if query.pts < 1:
            raise bad("PERSISTENT_TIMESTAMP_EMPTY")
        found = person.box.after(query.pts)
        if len(found) > self.most:
            return updates.DifferenceTooLong(person.box.pts)
        changed = [each for each in person.channels if each.changed and each.changed >= _seconds(query.date)]
        if not found and not changed:
            return updates.DifferenceEmpty(self._server.now, 1)
        limit = min(self.slice, query.pts_limit or self.slice)
        part = _whole(found, limit)
        messages, others = _sort(person, part)
        if len(part) < len(found) or self.stuck:
            state = self._state_at(person, query.pts if self.stuck else part[-1].pts)
            named = described(self._server, person, [messages, others], least=True)
            return updates.DifferenceSlice(messages, [], others, intermediate_state=state, **named)
        others += [T.UpdateChannelTooLong(each.id, each.box.pts) for each in changed]
        named = described(self._server, person, [messages, others], least=True)
        state = self._state_at(person, person.box.pts)
        return updates.Difference(messages, [], others, state=state, **named)

    def _channel_difference(self, call: "Call", query: Any) -> Any:
        person, channel = call.person, find_channel(call, query.channel)
        if person not in channel.members and channel.username is None:
            raise bad("CHANNEL_PRIVATE")
        if query.limit < 1:
            raise bad("LIMIT_INVALID")
        if query.pts < 1:
            raise bad("PERSISTENT_TIMESTAMP_EMPTY")
        if query.pts > channel.box.pts:
            raise bad("PERSISTENT_TIMESTAMP_INVALID")
        found = channel.box.after(query.pts)
        if not found:
            return updates.ChannelDifferenceEmpty(channel.box.pts, final=True, timeout=self.timeout)
        if len(found) > self.channel_most:
            return self._too_long(person, channel, query.limit)
        part = _whole(found, min(query.limit, self.channel_slice))
        messages, others = _sort(person, part)
        return updates.ChannelDifference(
            part[-1].pts,
            messages,
            others,
            final=len(part) == len(found) or None,
            timeout=self.timeout,
            **described(self._server, person, [messages, others], [channel], least=True),
        )

    def _too_long(self, person: Person, channel: Channel, limit: int) -> Any:
        last = [post for _, post in sorted(channel.posts.items())][-min(limit, 100) :]
        messages = [post.see(person) for post in reversed(last)]
        known = person.dialog(channel)
        dialog = T.Dialog(
            peer=peer(channel),
            top_message=channel.last_post,
            read_inbox_max_id=known.read_inbox,
            read_outbox_max_id=known.read_outbox,
            unread_count=channel.last_post - known.read_inbox,
            unread_mentions_count=0,
            unread_reactions_count=0,
            unread_poll_votes_count=0,
            notify_settings=T.PeerNotifySettings(),
            pts=channel.box.pts,
        )
        return updates.ChannelDifferenceTooLong(
            dialog,
            messages,
            final=True,
            timeout=self.timeout,
            **described(self._server, person, [messages], [channel], least=True),
        )


def _whole(found: list[Entry], limit: int) -> list[Entry]:
    """The first entries, up to a state: those of one pts stay together."""
    end = min(limit, len(found))
    while end < len(found) and found[end].pts == found[end - 1].pts:
        end += 1
    return found[:end]


def _sort(person: Person, entries: list[Entry]) -> tuple[list[Any], list[Any]]:
    """New messages, and other updates."""
    messages, others = [], []
    for entry in entries:
        update = entry.update(person)
        if isinstance(update, _NEW):
            messages.append(update.message)
        elif update is not None:
            others.append(update)
    return messages, others


def _seconds(date: Any) -> float:
    return float(date.timestamp()) if date is not None else 0.0
