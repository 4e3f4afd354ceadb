"""Users, their web sessions, groups and messages: what the platform knows.

Ids of users and groups are numbers of 19 digits, above 2**53 as Zalo's are.
"""

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any, Protocol

import attrs

from ...platform import KEPT

_FIRST_USER = 1_500_000_000_000_000_003
_FIRST_GROUP = 6_100_000_000_000_000_007
_FIRST_MESSAGE = 7_200_000_000_001  # answers have it as a number, which clients read as a double


class Refused(Exception):
    """An answer with this `error_code`. `outer`: outside of the encrypted document."""

    def __init__(self, code: int, message: str, *, outer: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.outer = code, message, outer


def invalid(field: str) -> Refused:
    return Refused(114, f"Invalid parameter: {field}")


class Socket(Protocol):
    """The open connection of a session."""

    def push(self, command: int, sub_command: int, data: dict[str, Any]) -> None: ...

    def answer(self, command: int, sub_command: int, data: dict[str, Any]) -> None: ...

    def close(self, code: int, reason: str = "") -> None: ...


@attrs.define(eq=False)
class Session:
    """A web login. `cookie`: its `zpw_sek`. It is bound to a user agent, and to the first `imei` it names."""

    user: "User"
    cookie: str = attrs.field(factory=lambda: f"s{os.urandom(24).hex()}", repr=False)
    user_agent: str = ""
    imei: str = ""
    secret: bytes = attrs.field(factory=lambda: os.urandom(16), repr=False)
    logins: int = 0
    ended: bool = False
    former: str = attrs.field(default="", repr=False)  # a cookie that is good until the next answer
    socket: Socket | None = None


@attrs.define(eq=False)
class User:
    """`requests`: who wants to be a friend, and what they wrote."""

    id: str
    name: str
    phone: str = ""
    friends: set["User"] = attrs.field(factory=set, repr=False)
    requests: dict["User", str] = attrs.field(factory=dict, repr=False)
    blocked: set["User"] = attrs.field(factory=set, repr=False)
    muted: dict[str, int] = attrs.field(factory=dict)  # thread -> seconds, -1: for ever
    pinned: set[str] = attrs.field(factory=set)  # `u` or `g` and the id
    unread: set[str] = attrs.field(factory=set)  # threads that were marked so
    sessions: list[Session] = attrs.field(factory=list, repr=False)

    @property
    def picture(self) -> str:
        return f"https://s120-ava-talk.zadn.vn/{self.id}.jpg"

    def push(self, command: int, data: dict[str, Any], sub_command: int = 0) -> None:
        """Tell all open sockets of the user."""
        for session in self.sessions:
            if session.socket is not None:
                session.socket.push(command, sub_command, data)

    def described(self) -> dict[str, Any]:
        return {
            "userId": self.id,
            "username": "",
            "displayName": self.name,
            "zaloName": self.name,
            "avatar": self.picture,
            "phoneNumber": "",
            "gender": 0,
            "isFr": 1,
            "isBlocked": 0,
        }


@attrs.define(eq=False)
class Group:
    id: str
    name: str
    owner: User
    members: list[User] = attrs.field(factory=list, repr=False)
    admins: set[User] = attrs.field(factory=set, repr=False)
    waiting: list[User] = attrs.field(factory=list, repr=False)
    version: int = 1
    link: str = ""
    picture: str = ""
    setting: dict[str, Any] = attrs.field(factory=lambda: {"joinAppr": 0, "lockSendMsg": 0})

    def may_administer(self, user: User) -> bool:
        return user is self.owner or user in self.admins

    def described(self) -> dict[str, Any]:
        return {
            "groupId": self.id,
            "name": self.name,
            "fullAvt": self.picture,
            "avt": self.picture,
            "desc": "",
            "type": 1,
            "creatorId": self.owner.id,
            "version": str(self.version),
            "memberIds": [member.id for member in self.members],
            "adminIds": [admin.id for admin in self.admins],
            "memVerList": [f"{member.id}_0" for member in self.members],
            "currentMems": [
                {"id": member.id, "dName": member.name, "zaloName": member.name, "avatar": member.picture}
                for member in self.members
            ],
            "totalMember": len(self.members),
            "maxMember": 500,
            "hasMoreMember": 0,
            "setting": self.setting,
        }


@attrs.define(eq=False, kw_only=True)
class Message:
    """`said`: further fields of the message: `mentions`, `quote`, `ttl`, `paramsExt`."""

    id: str
    client_id: str
    sender: User
    thread: User | Group
    kind: str
    content: Any
    at: int  # unix ms
    said: dict[str, Any] = attrs.field(factory=dict)
    fields: dict[str, Any] = attrs.field(factory=dict, repr=False)  # of the request, if a client sent it
    from_web: bool = False
    undone: bool = False
    delivered: set[User] = attrs.field(factory=set, repr=False)
    seen: set[User] = attrs.field(factory=set, repr=False)
    reactions: dict[User, str] = attrs.field(factory=dict, repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sender.id, self.thread.id, self.client_id

    @property
    def readers(self) -> list[User]:
        """All sides, the sender included."""
        if isinstance(self.thread, Group):
            return list(self.thread.members)
        return list(dict.fromkeys((self.sender, self.thread)))

    def shown_to(self, viewer: User) -> dict[str, Any]:
        """As it is on `viewer`'s socket, where the viewer is called 0."""
        in_group = isinstance(self.thread, Group)
        return {
            "actionId": self.id,
            "msgId": self.id,
            "cliMsgId": self.client_id,
            "msgType": self.kind,
            "uidFrom": "0" if viewer is self.sender else self.sender.id,
            "idTo": "0" if viewer is self.thread and not in_group else self.thread.id,
            "dName": self.sender.name,
            "ts": str(self.at),
            "status": 1,
            "content": self.content,
            "notify": "1",
            "ttl": 0,
            "userId": "0",
            "uin": "0",
            "propertyExt": {"color": 0, "size": 0, "type": 0, "subType": 0, "ext": ""},
            "paramsExt": {"countUnread": 1, "containType": 0, "platformType": 1},
            "cmd": 521 if in_group else 501,
            "st": 3,
            "at": 5,
            "realMsgId": "0",
            **self.said,
        }


class World:
    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.sessions: dict[str, Session] = {}  # by cookie
        self.messages: dict[str, Message] = {}
        self.by_client_id: dict[tuple[str, str, str], Message] = {}  # sender, thread, clientId
        self._user_ids = itertools.count(_FIRST_USER)
        self._group_ids = itertools.count(_FIRST_GROUP)
        self._message_ids = itertools.count(_FIRST_MESSAGE)
        self._last_ms = 0

    def add_user(self, name: str, id_: str = "", phone: str = "") -> User:
        """Raises `ValueError` if the id is taken."""
        id_ = id_ or str(next(self._user_ids))
        if not (id_.isascii() and id_.isdigit() and len(id_) <= 32):
            raise ValueError("id: must be a number of at most 32 digits")
        if id_ in self.users or id_ in self.groups:
            raise ValueError("id: is taken")
        self.users[id_] = User(id_, name, phone)
        return self.users[id_]

    def add_group(self, name: str, owner: User, members: list[User]) -> Group:
        id_ = str(next(self._group_ids))
        self.groups[id_] = Group(id_, name, owner, list(dict.fromkeys([owner, *members])))
        return self.groups[id_]

    def add_session(self, user: User, user_agent: str = "", imei: str = "") -> Session:
        session = Session(user, user_agent=user_agent, imei=imei)
        user.sessions.append(session)
        self.sessions[session.cookie] = session
        return session

    def renew(self, session: Session) -> None:
        """Give a session another cookie, which its next answer sets; until then the present one is good."""
        session.former, session.cookie = session.cookie, f"r{os.urandom(24).hex()}"
        self.sessions[session.cookie] = session

    def groups_of(self, user: User) -> Iterator[Group]:
        return (group for group in self.groups.values() if user in group.members)

    def keep(self, message: Message) -> None:
        """Remember a message, and forget the oldest of more than `KEPT`."""
        self.messages[message.id] = self.by_client_id[message.key] = message
        if len(self.messages) > KEPT:
            oldest = self.messages.pop(next(iter(self.messages)))
            self.by_client_id.pop(oldest.key, None)

    def message_id(self) -> str:
        return str(next(self._message_ids))

    def now(self) -> int:
        """Unix milliseconds, no value twice."""
        self._last_ms = max(int(time.time() * 1000), self._last_ms + 1)
        return self._last_ms
