"""The reference platform: chats, people, groups and labels in memory, behind one JSON call.

`POST /call` with `{"token", "method", "arguments"}` answers `{"ok": true, "result"}` or `{"ok": false, "error"}`. Lists
come in pages of `limit`, the next one begins `after` an id. `POST /poll` waits for what customers write.
"""

from collections.abc import Callable
from typing import Any

import trio

from unifyport.sandbox.serving import listen, new_app

TOKEN = "reference-token"
PICTURE = "https://pictures.example/1.png"


class Refused(Exception):
    """The platform's own word for why not."""


class ReferencePlatform:
    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[dict[str, Any]] = []
        self.chats: dict[str, dict[str, Any]] = {
            f"chat-{n}": {"id": f"chat-{n}", "kind": kind, "title": f"Chat {n}", "unread": n, "labels": []}
            for n, kind in enumerate(("user", "user", "user", "group", "channel"), 1)
        }
        self.people = {
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
        self._app.add_url_rule("/poll", "poll", self._poll, methods=["POST"])

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """`task_status` gets the base URL."""
        await listen(self._app, "127.0.0.1", 0, task_status=task_status)

    # -- the wire ---------------------------------------------------------------------------------------------------

    async def _call(self) -> dict[str, Any]:
        from quart import request

        call = await request.get_json()
        if call["token"] != TOKEN:
            return {"ok": False, "error": "unauthorized"}
        method, arguments = call["method"], call["arguments"]
        self.calls.append((method, arguments))
        try:
            return {"ok": True, "result": getattr(self, f"do_{method}")(**arguments)}
        except Refused as refused:
            return {"ok": False, "error": str(refused)}

    async def _poll(self) -> dict[str, Any]:
        await trio.sleep(5)  # nobody writes here; a poll lingers
        return {"ok": True, "result": []}

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

    # -- what it can do ---------------------------------------------------------------------------------------------

    def do_me(self) -> dict[str, Any]:
        return {"id": "me", "name": "Reference"}

    def do_send(self, chat: str, text: str, quote: str | None = None) -> str:
        self._one(self.chats, chat, "no such chat")
        self.sent.append({"chat": chat, "text": text, "quote": quote})
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
        if action in changes:
            changes[action](person)

    def do_let_in(self, group: str, yes: bool, people: list[str]) -> None:
        found = self._one(self.groups, group, "no such group")
        found["waiting"] = [person for person in found["waiting"] if person not in people]
        if yes:
            found["members"] += people
