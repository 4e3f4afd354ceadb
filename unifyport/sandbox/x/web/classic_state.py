"""Direct messages of the older kind, as the web application sees them: conversations, and entries of each.

An entry is `{"message": {…}}`, `{"conversation_read": {…}}` and so on, with an id that grows over all
conversations. Shapes: https://github.com/d60/twikit (`client/v11.py`, `message.py`) and
https://github.com/mautrix/twitter (`data/types/event.go`), clients of the web application.
"""

import itertools
import re
import time
from typing import Any

import attrs

MAX_TEXT = 10_000
_PAIR = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


@attrs.define
class Entry:
    """`kind`: the word that holds `body`. `only`: the user whom alone it is for; empty: all members."""

    id: int
    kind: str
    body: dict[str, Any]
    only: str = ""

    @property
    def shown(self) -> dict[str, Any]:
        return {self.kind: self.body}


@attrs.define
class Place:
    """A conversation. `trusted`: members that have accepted it; for the others it is a message request."""

    id: str
    members: set[str]
    group: bool = False
    name: str = ""
    trusted: set[str] = attrs.field(factory=set)
    entries: list[Entry] = attrs.field(factory=list)
    read: dict[str, int] = attrs.field(factory=dict)
    changed: int = 0  # id of the last change that has no entry

    def entries_for(self, user: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.only in ("", user)]


class Mail:
    """`sent`: messages of users, oldest first. `names`: of users, where they are not `User <id>`."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.names: dict[str, str] = {}
        self.files: dict[str, tuple[bytes, str]] = {}  # by path: content and type
        self.sent: list[dict[str, Any]] = []
        self.first_cursor = 0  # cursors before this id are void
        self.base_url = ""
        self._numbers = itertools.count(1)

    def new_id(self) -> int:
        """A growing id, as of a snowflake."""
        return (int(time.time() * 1000) << 20) + next(self._numbers)

    @property
    def newest(self) -> int:
        """The id of the last entry or change."""
        last = [place.entries[-1].id for place in self.places.values() if place.entries]
        return max([0, *last, *(place.changed for place in self.places.values())])

    def place(self, user: str, id_: str) -> Place | None:
        """A conversation of a user, by its name; that of two users is made. None: there is none."""
        pair = _PAIR.fullmatch(id_)
        if pair is not None and user in pair.groups():
            low, high = sorted(pair.groups(), key=int)
            name = f"{low}-{high}"
            return self.places.setdefault(name, Place(name, {low, high}, trusted={low, high}))
        found = self.places.get(id_)
        return found if found is not None and user in found.members else None

    def group(self, members: set[str], name: str = "") -> Place:
        id_ = str(self.new_id())
        self.places[id_] = Place(id_, set(members), group=True, name=name, trusted=set(members))
        return self.places[id_]

    def add(self, place: Place, kind: str, only: str = "", **fields: Any) -> Entry:
        """A new entry of a conversation, with what all entries have."""
        id_ = self.new_id()
        common = {"id": str(id_), "time": str(int(time.time() * 1000)), "affects_sort": kind == "message"}
        entry = Entry(id_, kind, {**common, "conversation_id": place.id, **fields}, only)
        place.entries.append(entry)
        return entry

    def write(
        self, sender: str, place: Place, text: str, *, request_id: str = "", **more: Any
    ) -> dict[str, Any]:
        """A message. `more`: fields of `message_data`, such as `attachment` and `reply_data`."""
        entry = self.add(place, "message", request_id=request_id)
        data = {"id": entry.body["id"], "time": entry.body["time"], "sender_id": sender, "text": text}
        if not place.group:
            data["recipient_id"] = next(iter(place.members - {sender}), sender)
        data["entities"] = {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []}
        entry.body["message_data"] = {**data, **more}
        place.trusted.add(sender)
        return entry.body

    def mark_read(self, user: str, place: Place, last: int) -> None:
        """A member has read up to an entry. Others see it at the conversation."""
        place.read[user] = max(place.read.get(user, 0), last)
        self.add(place, "conversation_read", user, last_read_event_id=str(last))
        place.changed = self.new_id()

    def message(self, place: Place, id_: str) -> dict[str, Any] | None:
        return next((e.body for e in place.entries if e.kind == "message" and e.body["id"] == id_), None)

    def shown(self, place: Place, user: str) -> dict[str, Any]:
        """A conversation, as its member sees it."""
        found = place.entries_for(user)
        ends = {"min_entry_id": str(found[0].id), "max_entry_id": str(found[-1].id)} if found else {}
        return {
            "conversation_id": place.id,
            "type": "GROUP_DM" if place.group else "ONE_TO_ONE",
            **({"name": place.name} if place.name else {}),
            "participants": [
                {"user_id": each, "last_read_event_id": str(place.read.get(each, 0))}
                for each in sorted(place.members, key=int)
            ],
            "trusted": user in place.trusted,
            "low_quality": False,
            "muted": False,
            **ends,
        }

    def profile(self, user: str) -> dict[str, Any]:
        name = self.names.get(user, f"User {user}")
        picture = f"https://pbs.twimg.com/profile_images/{user}/example_normal.jpg"
        return {
            "id": int(user),
            "id_str": user,
            "name": name,
            "screen_name": f"user{user}",
            "profile_image_url_https": picture,
        }

    def keep(self, content: bytes, mime_type: str, message: dict[str, Any]) -> None:
        """Attach a file to a message: a photo at the address of its message, or a video."""
        number = str(self.new_id())
        word = "photo" if mime_type.startswith("image/") else "video"
        path = f"dm/{message['id']}/{number}/{word}.{mime_type.partition('/')[2]}"
        self.files[path] = content, mime_type
        url = f"{self.base_url}/1.1/ton/data/{path}"
        media: dict[str, Any] = {"id_str": number, "type": word, "url": "https://t.co/aBcDeFgHiJ"}
        media["media_url_https"] = url if word == "photo" else "https://pbs.twimg.com/dm_video_preview/1.jpg"
        if word == "video":
            file = {"bitrate": 832000, "content_type": mime_type, "url": url}
            media["video_info"] = {"duration_millis": 1500, "variants": [file]}
        data = message["message_data"]
        data["attachment"] = {word: media}
        link = {"url": media["url"], "expanded_url": f"https://x.com/messages/media/{message['id']}"}
        data["entities"]["urls"] = [link]
        data["text"] = f"{data['text']} {media['url']}".strip()
