"""The web application's calls for direct messages of the older kind, `/i/api/1.1/dm/…`.

Calls as in https://github.com/mautrix/twitter (`messaging.go`, `polling.go`) and
https://github.com/d60/twikit, which works here unchanged (`tests/interop/test_x_web.py`). Users whose id
begins with 404 do not exist, and those whose id begins with 403 take no messages.
"""

import html
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from quart import Response, request

from .classic_state import MAX_TEXT, Entry, Mail, Place
from .sessions import WebRefusal

PAGE = 20  # entries of a page of history, and conversations in the first state
_LATEST = 3  # entries of each conversation in the first state
_CURSOR = "GRwm"
Handler = Callable[..., Any]


class Routes(Protocol):
    def route(self, rule: str, method: str, name: str, handler: Handler, *, file: bool = False) -> None:
        """`handler(user, **parts)` returns JSON or an answer, and may raise `WebRefusal`."""


class Classic:
    """`mail`: what the server knows."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail

    def add_routes(self, platform: Routes) -> None:
        dm = "/i/api/1.1/dm"
        for rule, method, name, handler in (
            (f"{dm}/inbox_initial_state.json", "GET", "inbox", self._inbox),
            (f"{dm}/user_updates.json", "GET", "updates", self._updates),
            (f"{dm}/conversation/<id>.json", "GET", "history", self._history),
            (f"{dm}/new2.json", "POST", "dm", self._send),
            (f"{dm}/conversation/<id>/mark_read.json", "POST", "read", self._read),
            (f"{dm}/conversation/<id>/accept.json", "POST", "accept", self._accept),
        ):
            platform.route(rule, method, name, handler)
        platform.route("/1.1/ton/data/<path:path>", "GET", "file", self._file, file=True)

    # -- reading ---------------------------------------------------------------------------------------------

    def _inbox(self, user: str) -> Any:
        return {"inbox_initial_state": self._state(user)}

    def _state(self, user: str) -> dict[str, Any]:
        mine = sorted(
            (place for place in self.mail.places.values() if user in place.members and place.entries),
            key=lambda place: -place.entries[-1].id,
        )[:PAGE]
        entries = [entry for place in mine for entry in place.entries_for(user)[-_LATEST:]]
        return {**self._page(user, entries), "cursor": self._cursor(), "last_seen_event_id": "0"}

    def _updates(self, user: str) -> Any:
        """What has happened since the cursor; the first state if there is no cursor, or it is too old."""
        cursor = request.args.get("cursor", "").removeprefix(_CURSOR)
        if not cursor.isdigit() or int(cursor) < self.mail.first_cursor:
            return {"inbox_initial_state": self._state(user)}
        fresh = [
            entry
            for place in self.mail.places.values()
            if user in place.members
            for entry in place.entries_for(user)
            if entry.id > int(cursor)
        ]
        changed = {
            place.id: place
            for place in self.mail.places.values()
            if user in place.members and place.changed > int(cursor)
        }
        page = self._page(user, sorted(fresh, key=lambda entry: -entry.id), changed)
        page = page if fresh or changed else {}
        return {"user_events": {**page, "cursor": self._cursor(), "last_seen_event_id": "0"}}

    def _cursor(self) -> str:
        return f"{_CURSOR}{self.mail.newest}"

    def _history(self, user: str, id: str) -> Any:
        """A page of a conversation, the newest first, below `max_id`."""
        place = self._place(user, id)
        until = request.args.get("max_id", "")
        found = [e for e in place.entries_for(user) if not until.isdigit() or e.id < int(until)]
        page = self._page(user, found[: -PAGE - 1 : -1])
        status = "HAS_MORE" if len(found) > PAGE else "AT_END"
        if not page["entries"]:
            del page["entries"]
        return {"conversation_timeline": {**page, "status": status}}

    def _page(
        self, user: str, entries: list[Entry], changed: Mapping[str, Place] | None = None
    ) -> dict[str, Any]:
        """Entries, with their conversations and users. `changed`: conversations without an entry."""
        of_entries = (entry.body["conversation_id"] for entry in entries)
        places = {**(changed or {}), **{id_: self.mail.places[id_] for id_ in of_entries}}
        members = {member for place in places.values() for member in place.members}
        return {
            "entries": [entry.shown for entry in entries],
            "users": {each: self.mail.profile(each) for each in sorted(members, key=int)},
            "conversations": {id_: self.mail.shown(place, user) for id_, place in places.items()},
        }

    def _file(self, user: str, path: str) -> Response:
        content, mime_type = self.mail.files.get(path, (b"", ""))
        return Response(content, 200 if mime_type else 404, content_type=mime_type or "text/plain")

    # -- writing ---------------------------------------------------------------------------------------------

    async def _send(self, user: str) -> Any:
        body = await request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("text", ""), str):
            raise WebRefusal(400, 214, "Bad request.")
        place = self._place(user, str(body.get("conversation_id", "")))
        text = body.get("text", "")
        if len(text) > MAX_TEXT:
            raise WebRefusal(403, 354, "The text of your direct message is over the max character limit.")
        if not text or body.get("media_id") is not None:
            raise WebRefusal(400, 324, "The validation of media ids failed.")
        if any(each.startswith("403") for each in place.members - {user}):
            raise WebRefusal(403, 349, "You cannot send messages to this user.")
        more: dict[str, Any] = {}
        if (quoted := str(body.get("reply_to_dm_id") or "")) != "":
            original = self.mail.message(place, quoted)
            if original is None:
                raise WebRefusal(400, 214, "Bad request.")
            known = ("id", "time", "sender_id", "recipient_id", "text")
            more["reply_data"] = {k: v for k, v in original["message_data"].items() if k in known}
        escaped = html.escape(text, quote=False)
        sent = self.mail.write(user, place, escaped, request_id=str(body.get("request_id", "")), **more)
        self.mail.sent.append({"account": user, **body, "conversation_id": place.id, "id": sent["id"]})
        return self._page(user, [place.entries[-1]])

    async def _read(self, user: str, id: str) -> Any:
        form = await request.form
        place, last = self._place(user, id), form.get("last_read_event_id", "")
        if not last.isdigit() or form.get("conversationId") != id:
            raise WebRefusal(400, 214, "Bad request.")
        self.mail.mark_read(user, place, int(last))
        return Response(b"", 204)

    async def _accept(self, user: str, id: str) -> Any:
        place = self._place(user, id)
        place.trusted.add(user)
        self.mail.add(place, "trust_conversation", user, reason="accept")
        return Response(b"", 204)

    def _place(self, user: str, id_: str) -> Place:
        found = self.mail.place(user, id_)
        if found is None or any(each.startswith("404") for each in found.members):
            raise WebRefusal(404, 279, "The conversation does not exist.")
        return found
