"""The reference platform: chats, people, groups and labels in memory, behind one JSON call.

POST /call   {"token", "method", "arguments"} -> {"ok": true, "result"} or {"ok": false, "error"}; lists come
             in pages of `limit`, the next one begins `after` an id
POST /login  {"method", "arguments"} -> the same, for devices that are not in yet (`logins.py`)
POST /kept   {"token", "confirm"} -> what customers wrote after number `confirm`, kept until it is confirmed
POST /stream {"token"} -> what customers wrote, forgotten once it was handed out
POST /files  a file; GET /files/{id} gives it back for its key, in the header `media-key` or in the query.
             The message of a file names both
"""

import hashlib
import inspect
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import attrs
import trio

from unifyport.sandbox.serving import listen, new_app

from .logins import Logins, Refused, User

TOKEN = "reference-token"
PHONE, SECRETIVE = "+6590000001", "+6590000002"  # the second user has a password
PICTURE = "https://pictures.example/1.png"
LINGER_SECONDS = 5.0


@attrs.define
class Inbox:
    """What customers wrote to one user: all of it, and what is left to hand out. `streams` are by token:
    opening one forgets what an earlier one of it has not taken.
    """

    history: list[dict[str, Any]] = attrs.field(factory=list)
    kept: list[dict[str, Any]] = attrs.field(factory=list)
    streams: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    bell: trio.Event = attrs.field(factory=trio.Event)


_NO = {"ok": False, "error": "unauthorized"}


class ReferencePlatform:
    def __init__(self) -> None:
        self.logins = Logins(
            [
                User("user-1", "Mei", PHONE),
                User("user-2", "Ada", SECRETIVE, "hunter22"),
                *(User(f"user-{n}", f"User {n}", f"+659000000{n}") for n in (3, 4)),
            ]
        )
        self.inboxes: defaultdict[str, Inbox] = defaultdict(Inbox)
        self.files: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}  # of files
        self.refusing = False  # every call that asks for something
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[dict[str, Any]] = []
        self.chats: dict[str, dict[str, Any]] = {
            f"chat-{n}": {"id": f"chat-{n}", "kind": kind, "title": f"Chat {n}", "unread": n, "labels": []}
            for n, kind in enumerate(("user", "user", "user", "group", "channel"), 1)
        }
        self.people: dict[str, dict[str, Any]] = {
            f"person-{n}": {"id": f"person-{n}", "name": f"Person {n}", "blocked": n == 3, "note": ""}
            for n in range(1, 6)
        }
        self.groups = {
            f"group-{n}": {
                "id": f"group-{n}",
                "name": f"Group {n}",
                "members": ["person-1"],
                "waiting": ["person-4"],
            }
            for n in range(1, 4)
        }
        self.labels = {f"label-{n}": {"id": f"label-{n}", "name": f"Label {n}"} for n in range(1, 4)}
        self._app = new_app("reference")
        self._app.add_url_rule("/call", "call", self._call, methods=["POST"])
        self._app.add_url_rule("/login", "login", self._login, methods=["POST"])
        self._app.add_url_rule("/kept", "kept", self._kept, methods=["POST"])
        self._app.add_url_rule("/stream", "stream", self._stream, methods=["POST"])
        self._app.add_url_rule("/files", "files", self._upload, methods=["POST"])
        self._app.add_url_rule("/files/<file>", "file", self._download, methods=["GET"])

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """`task_status` gets the base URL."""
        await listen(self._app, "127.0.0.1", 0, task_status=task_status)

    # -- the wire --------------------------------------------------------------------------------------------

    async def _call(self) -> dict[str, Any]:
        from quart import request

        call = await request.get_json()
        user = self._user(call["token"])
        if user is None:
            return _NO
        method, arguments = call["method"], call["arguments"]
        self.calls.append((method, arguments))
        if self.refusing and method != "me":
            return {"ok": False, "error": "not today"}
        if method in ("me", "history", "log_out"):
            arguments = {**arguments, "user": user, "token": call["token"]}
        try:
            return {"ok": True, "result": getattr(self, f"do_{method}")(**arguments)}
        except Refused as refused:
            return {"ok": False, "error": str(refused)}

    async def _login(self) -> dict[str, Any]:
        from quart import request

        call = await request.get_json()
        try:
            result = getattr(self.logins, call["method"])(**call["arguments"])
            return {"ok": True, "result": await result if inspect.isawaitable(result) else result}
        except Refused as refused:
            return {"ok": False, "error": str(refused)}

    def _user(self, token: str) -> str | None:
        """The id of whose token it is."""
        if token == TOKEN:
            return "me"
        device = self.logins.devices.get(token)
        return None if device is None else device.id

    async def _kept(self) -> dict[str, Any]:
        from quart import request

        call = await request.get_json()
        if (user := self._user(call["token"])) is None:
            return _NO
        inbox = self.inboxes[user]
        inbox.kept = [message for message in inbox.kept if message["number"] > call["confirm"]]
        with trio.move_on_after(LINGER_SECONDS):
            while not inbox.kept:
                await inbox.bell.wait()
        return {"ok": True, "result": inbox.kept[:100]}

    async def _stream(self) -> dict[str, Any]:
        from quart import request

        call = await request.get_json()
        if (user := self._user(call["token"])) is None:
            return _NO
        inbox, token = self.inboxes[user], call["token"]
        if call["open"]:
            inbox.streams[token] = []
            return {"ok": True, "result": []}
        with trio.move_on_after(LINGER_SECONDS):
            while not inbox.streams.get(token):
                await inbox.bell.wait()
        waiting = inbox.streams.get(token, [])
        inbox.streams[token] = waiting[100:]
        return {"ok": True, "result": waiting[:100]}

    async def _upload(self) -> dict[str, Any]:
        from quart import request

        if self._user(request.headers.get("token", "")) is None:
            return _NO
        content = await request.get_data(cache=True, as_text=False, parse_form_data=False)
        return {"ok": True, "result": self.keep(content)}

    async def _download(self, file: str) -> tuple[bytes, int]:
        from quart import request

        await trio.lowlevel.checkpoint()
        if file not in self.files:
            return b"", 404
        key = request.headers.get("media-key") or request.args.get("key")
        return (self.files[file], 200) if key == self.keys[file] else (b"", 403)

    # -- what people do --------------------------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """The id of a file."""
        id_ = "file-" + hashlib.sha256(content).hexdigest()[:16]
        self.files[id_] = content
        self.keys[id_] = "media-key-" + hashlib.sha256(b"key" + content).hexdigest()
        return id_

    def write(self, text: str, user: str = "me", **more: Any) -> dict[str, Any]:
        """A customer writes to a user; with `file`, and its `kind`, he sends one."""
        inbox = self.inboxes[user]
        number = len(inbox.history) + 1
        message = {"number": number, "id": f"in-{number}", "chat": "chat-1", "from": "person-1", "text": text}
        if "file" in more:
            more["key"] = self.keys[more["file"]]
        for box in (inbox.history, inbox.kept, *inbox.streams.values()):
            box.append({**message, **more})
        inbox.bell.set()
        inbox.bell = trio.Event()
        return message

    @staticmethod
    def _page(things: list[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
        ids = [thing["id"] for thing in things]
        start = 0 if after is None else ids.index(after) + 1
        page = things[start : start + limit]
        return {"items": page, "next": page[-1]["id"] if start + limit < len(things) else None}

    @staticmethod
    def _one(things: dict[str, dict[str, Any]], id_: str, error: str) -> dict[str, Any]:
        if id_ not in things:
            raise Refused(error)
        return things[id_]

    # -- what it can do --------------------------------------------------------------------------------------

    def do_me(self, user: str, token: str) -> dict[str, Any]:
        device = self.logins.devices.get(token)
        name = "Reference" if device is None else device.name
        return {"id": user, "name": name, "newest": len(self.inboxes[user].history)}

    def do_history(self, user: str, token: str, after: int) -> list[dict[str, Any]]:
        return [message for message in self.inboxes[user].history if message["number"] > after][:100]

    def do_log_out(self, user: str, token: str) -> None:
        self.logins.log_out(token)

    def do_send(self, chat: str, text: str, **more: Any) -> str:
        self._one(self.chats, chat, "no such chat")
        if "file" in more and more["file"] not in self.files:
            raise Refused("no such file")
        self.sent.append({"chat": chat, "text": text, **more})
        return f"message-{len(self.sent)}"

    def do_change_message(self, chat: str, message: str, **change: Any) -> None:
        self._one(self.chats, chat, "no such chat")
        if message.startswith("missing"):
            raise Refused("no such message")

    def do_chats(self, kinds: list[str], label: str | None, after: str | None, limit: int) -> dict[str, Any]:
        found = [
            chat
            for chat in self.chats.values()
            if (not kinds or chat["kind"] in kinds) and (label is None or label in chat["labels"])
        ]
        return self._page(found, after, limit)

    def do_chat(self, chat: str) -> dict[str, Any]:
        return self._one(self.chats, chat, "no such chat")

    def do_chat_members(self, chat: str, after: str | None, limit: int) -> dict[str, Any]:
        self._one(self.chats, chat, "no such chat")
        return self._page(list(self.people.values()), after, limit)

    def do_change_chat(self, chat: str, **change: Any) -> None:
        self._one(self.chats, chat, "no such chat").update(change)

    def do_templates(self, after: str | None, limit: int) -> dict[str, Any]:
        return self._page([{"id": n, "name": n, "language": "en"} for n in ("hello", "parcel")], after, limit)

    def do_labels(self, after: str | None, limit: int) -> dict[str, Any]:
        return self._page(list(self.labels.values()), after, limit)

    def do_label_chats(self, label: str, add: bool, chats: list[str]) -> None:
        self._one(self.labels, label, "no such label")
        for chat in chats:
            labels = set(self._one(self.chats, chat, "no such chat")["labels"])
            self.chats[chat]["labels"] = sorted(labels | {label} if add else labels - {label})

    def do_write_label(self, label: str | None, name: str) -> dict[str, Any]:
        label = label or f"label-{len(self.labels) + 1}"
        self.labels[label] = {"id": label, "name": name}
        return self.labels[label]

    def do_delete_label(self, label: str) -> None:
        self._one(self.labels, label, "no such label")
        del self.labels[label]

    def do_people(self, part: str | None, after: str | None, limit: int) -> dict[str, Any]:
        found = [person for person in self.people.values() if part is None or part in person["name"]]
        return self._page(found, after, limit)

    def do_person(self, person: str) -> dict[str, Any]:
        return self._one(self.people, person, "no such person")

    def do_change_person(self, person: str, **change: Any) -> None:
        self._one(self.people, person, "no such person").update(change)

    def do_groups(self, after: str | None, limit: int) -> dict[str, Any]:
        return self._page(list(self.groups.values()), after, limit)

    def do_group(self, group: str) -> dict[str, Any]:
        return self._one(self.groups, group, "no such group")

    def do_new_group(self, name: str, members: list[str]) -> str:
        id_ = f"group-{len(self.groups) + 1}"
        self.groups[id_] = {"id": id_, "name": name, "members": members, "waiting": []}
        return id_

    def do_change_group(self, group: str, **change: Any) -> None:
        self._one(self.groups, group, "no such group").update(change)

    def do_change_member(self, group: str, action: str, person: str) -> None:
        members = self._one(self.groups, group, "no such group")["members"]
        changes: dict[str, Callable[[str], None]] = {"add": members.append, "remove": members.remove}
        if action == "remove" and person not in members:
            raise Refused("no such member")
        if action in changes:
            changes[action](person)

    def do_let_in(self, group: str, yes: bool, people: list[str]) -> None:
        found = self._one(self.groups, group, "no such group")
        found["waiting"] = [person for person in found["waiting"] if person not in people]
        if yes:
            found["members"] += people
