"""What users do to each other, whether on the web or on a phone: messages, receipts, reactions, typing.

Everything is told to the open sockets of those concerned; what a client missed it asks for
(`old_messages`, `old_reactions`).
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from unifyport.protocols.zalo_frames import Command

from ...faults import Faults
from ...platform import KEPT
from .world import Group, Message, Refused, User, World, invalid

PAGE = 50  # messages in one answer to a question for old ones
REMOVED = -1


@attrs.define
class Repeats:
    """The next `count` messages are told `copies` times; `new_ids`: each time with another `msgId`."""

    count: int = 0
    copies: int = 3
    new_ids: bool = True


class Mail:
    def __init__(self, world: World, faults: Faults) -> None:
        self.repeats = Repeats()
        self._faults = faults
        self._world = world
        self._reacted: deque[tuple[User, bool, dict[str, Any]]] = deque(maxlen=KEPT)  # as it was told

    # -- messages --------------------------------------------------------------------------------------------

    def send(
        self,
        sender: User,
        thread: User | Group,
        kind: str,
        content: Any,
        *,
        client_id: str = "",
        said: dict[str, Any] | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Message:
        """Deliver a message; the one that is there already if its `client_id` was sent before.

        `fields`: of the request, if a web client sent it. Raises `Refused`.
        """
        now = self._world.now()
        client_id = client_id or str(now)
        key = (sender.id, thread.id, client_id)
        if (known := self._world.by_client_id.get(key)) is not None:
            return known
        self._check_reach(sender, thread)
        message = Message(
            id=self._world.message_id(),
            client_id=client_id,
            sender=sender,
            thread=thread,
            kind=kind,
            content=content,
            at=now,
            said=said or {},
            fields=fields or {},
            from_web=fields is not None,
        )
        self._world.keep(message)
        for text in self._copies(message):
            for reader in message.readers:
                self._tell(reader, message, text)
        return message

    def _copies(self, message: Message) -> Iterable[str]:
        """The ids with which a message is told."""
        yield message.id
        if self._faults.next("message", "duplicate") is not None:
            yield message.id
        if self.repeats.count > 0:
            self.repeats.count -= 1
            for _ in range(self.repeats.copies - 1):
                yield self._world.message_id() if self.repeats.new_ids else message.id

    def _tell(self, reader: User, message: Message, id_: str) -> None:
        shown = message.shown_to(reader) | {"msgId": id_, "actionId": id_}
        if isinstance(message.thread, Group):
            reader.push(Command.GROUP_MESSAGES, {"groupMsgs": [shown]})
        else:
            reader.push(Command.USER_MESSAGES, {"msgs": [shown]})

    def _check_reach(self, sender: User, thread: User | Group) -> None:
        if isinstance(thread, Group):
            if sender not in thread.members:
                raise Refused(165, "you are not a member of this group")
        elif sender in thread.blocked:
            raise Refused(123, "this user does not receive your messages")

    def old_messages(self, user: User, last_id: str | None, *, in_group: bool) -> dict[str, Any]:
        """A page of what came after `last_id`, oldest first; without one, the newest."""
        found = [
            message
            for message in self._world.messages.values()
            if user in message.readers and isinstance(message.thread, Group) == in_group
        ]
        if last_id is None:
            page, more = found[-PAGE:], False
        else:
            later = [message for message in found if int(message.id) > int(last_id)]
            page, more = later[:PAGE], len(later) > PAGE
        name = "groupMsgs" if in_group else "msgs"
        return {name: [message.shown_to(user) for message in page], "more": int(more)}

    def undo(self, sender: User, message: Message) -> None:
        """Raises `Refused` for a message of another user."""
        if message.sender is not sender:
            raise Refused(166, "only the sender can undo a message")
        if message.undone:
            return
        message.undone = True
        content = {
            "globalMsgId": int(message.id),
            "cliMsgId": int(message.client_id),
            "deleteMsg": 1,
            "srcId": int(sender.id),
            "destId": int(message.thread.id),
        }
        self.send(sender, message.thread, "chat.undo", content)

    def react(self, user: User, message: Message, icon: str, type_: int, source: int = 6) -> str:
        """Set or, with `REMOVED`, take back a reaction; the id of the event."""
        if type_ == REMOVED or not icon:
            message.reactions.pop(user, None)
        else:
            message.reactions[user] = icon
        target = {"gMsgID": int(message.id), "cMsgID": int(message.client_id), "msgType": 1}
        content = {"rMsg": [target], "rIcon": icon, "rType": type_, "source": source}
        event_id, now = self._world.message_id(), self._world.now()
        in_group = isinstance(message.thread, Group)
        for reader in message.readers:
            to = message.thread if in_group or reader is user else reader
            if not in_group and reader is user and message.thread is user:
                to = message.sender
            event = {
                "actionId": event_id,
                "msgId": event_id,
                "cliMsgId": str(now),
                "msgType": "chat.reaction",
                "uidFrom": "0" if reader is user else user.id,
                "idTo": "0" if to is reader else to.id,
                "dName": user.name,
                "content": msgspec.json.encode(content).decode(),
                "ts": str(now),
                "ttl": 0,
            }
            self._reacted.append((reader, in_group, event))
            reader.push(
                Command.REACTIONS,
                {"reacts": [] if in_group else [event], "reactGroups": [event] if in_group else []},
            )
        return event_id

    def old_reactions(self, user: User, last_id: str | None, *, in_group: bool) -> dict[str, Any]:
        """A page of what came after `last_id`, oldest first; without one, the newest."""
        found = [event for reader, group, event in self._reacted if reader is user and group == in_group]
        if last_id is None:
            page, more = found[-PAGE:], False
        else:
            later = [event for event in found if int(event["msgId"]) > int(last_id)]
            page, more = later[:PAGE], len(later) > PAGE
        return {"reactGroups" if in_group else "reacts": page, "more": int(more)}

    # -- receipts --------------------------------------------------------------------------------------------

    def delivered(self, reader: User, message: Message) -> None:
        if reader not in message.delivered and reader is not message.sender:
            message.delivered.add(reader)
            self._receipt(message, {"delivereds": [self._delivered(reader, message)]})

    def seen(self, reader: User, message: Message) -> None:
        if reader in message.seen or reader is message.sender:
            return
        message.seen.add(reader)
        if isinstance(message.thread, Group):
            told = {
                "msgId": message.id,
                "groupId": message.thread.id,
                "seenUids": [reader.id],
            }
            self._receipt(message, {"delivereds": [], "groupSeens": [told]})
        else:
            told = {"idTo": reader.id, "msgId": message.id, "realMsgId": message.id}
            self._receipt(message, {"delivereds": [], "seens": [told]})

    def _receipt(self, message: Message, data: dict[str, Any]) -> None:
        in_group = isinstance(message.thread, Group)
        message.sender.push(Command.GROUP_RECEIPTS if in_group else Command.USER_RECEIPTS, data)

    def _delivered(self, reader: User, message: Message) -> dict[str, Any]:
        told = {
            "msgId": message.id,
            "seen": 0,
            "deliveredUids": [reader.id],
            "seenUids": [],
            "realMsgId": message.id,
            "mSTs": 1,
        }
        if isinstance(message.thread, Group):
            told["groupId"] = message.thread.id
        return told

    def typing(self, user: User, thread: User | Group) -> None:
        inner = f'"uid":"{user.id}","ts":"{self._world.now()}","isPC":1'
        if isinstance(thread, Group):
            inner = f'"gid":"{thread.id}",{inner}'
        act = "gtyping" if isinstance(thread, Group) else "typing"
        readers = thread.members if isinstance(thread, Group) else [thread]
        for reader in readers:
            if reader is not user:
                action = {"act_type": "typing", "act": act, "data": inner}
                reader.push(Command.ACTIONS, {"actions": [action]})

    # -- looking up ------------------------------------------------------------------------------------------

    def find(self, user: User, message_id: Any) -> Message:
        """A message of a conversation that the user is in. Raises `Refused`."""
        found = self._world.messages.get(str(message_id))
        if found is None or user not in found.readers:
            raise invalid("msgId")
        return found

    def thread(self, fields: dict[str, Any]) -> User | Group:
        """The receiver that a request names. Raises `Refused`."""
        if "grid" in fields:
            group = self._world.groups.get(str(fields["grid"]))
            if group is None:
                raise invalid("grid")
            return group
        user = self._world.users.get(str(fields.get("toid", fields.get("toId"))))
        if user is None:
            raise invalid("toid")
        return user
