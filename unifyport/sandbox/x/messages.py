"""Direct messages of the played X: sent by the API, written by customers, listed."""

import re
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from quart import request

from ..platform import KEPT
from .delivery import Deliveries
from .files import Files
from .state import Directory, File, Problem, forbidden, invalid, not_found

_LINK = re.compile(r"https?://[^\s]+")
MESSAGES, RECEIPTS = "direct_message_events", "direct_message_mark_read_events"
_NO_PERMISSION = "You do not have permission to DM one or more participants."
_LONGEST = 10_000


class Messages:
    """`answer_after`: seconds from the report of a sent message to the answer of the call."""

    def __init__(self, directory: Directory, deliveries: Deliveries, files: Files) -> None:
        self._directory, self._deliveries, self._files = directory, deliveries, files
        self.base_url = ""
        self.answer_after = 0.0
        self.sent: deque[dict[str, Any]] = deque(maxlen=KEPT)

    # -- the API ---------------------------------------------------------------------------------------------

    def check(self, user: str, body: Any) -> tuple[str, tuple[str, File] | None]:
        """Text and file of a message. Raises `Problem`."""
        if not isinstance(body, dict) or set(body) - {"text", "attachments"} or not body:
            raise invalid("text or attachments is required")
        text = body.get("text", "")
        if not isinstance(text, str) or ("text" in body and not text):
            raise invalid("text: must have 1 character at least")
        if len(text) > _LONGEST:
            raise Problem(
                403, "Forbidden", "The text of your direct message is over the max character limit."
            )
        return text, self._files.used_in(user, body.get("attachments"))

    def place(self, user: str, to: str | None, conversation: str | None) -> str:
        """The conversation that a message is for. Raises `Problem`."""
        if to is not None:
            if not self._directory.exists(to):
                raise not_found(f"user with id: [{to}]")
            conversation = self._directory.pair(user, to)
        assert conversation is not None
        if "-" in conversation and conversation not in self._directory.members:
            one, _, other = conversation.partition("-")
            if not (one.isdigit() and other.isdigit()) or user not in (one, other):
                raise forbidden(_NO_PERMISSION)
            self._directory.pair(one, other)
        members = self._directory.members.get(conversation)
        if members is None:
            raise not_found(f"dm_conversation with id: [{conversation}]")
        others = members - {user}
        if user not in members or any(
            other.startswith("403") or (other, user) in self._directory.blocked for other in others
        ):
            raise forbidden(_NO_PERMISSION)
        return conversation

    def post(self, user: str, conversation: str, body: Any) -> dict[str, Any]:
        text, file = self.check(user, body)
        event = self._say(user, conversation, text, file)
        at = time.time()
        self.sent.append(
            {"account": user, "conversation_id": conversation, **body, "id": event["id"], "at": at}
        )
        return {"data": {"dm_conversation_id": conversation, "dm_event_id": event["id"]}}

    def listed(self, user: str) -> dict[str, Any]:
        """A page of a user's events, newest first. The token is the id of the last event of a page."""
        query = request.args
        try:
            size = int(query.get("max_results", 100))
        except ValueError:
            size = 0
        if not 1 <= size <= 100:
            raise invalid("max_results must be between 1 and 100")
        events = self._directory.of(user)
        token = query.get("pagination_token")
        if token is not None:
            events = [event for event in events if int(event["id"]) < int(token.removeprefix("before-"))]
        page, rest = events[:size], events[size:]
        users = {each for event in page for each in self._directory.members[event["dm_conversation_id"]]}
        keys = [k for event in page for k in event.get("attachments", {}).get("media_keys", ())]
        answer: dict[str, Any] = {"meta": {"result_count": len(page)}}
        if page:
            answer["data"] = page
            answer["includes"] = {"users": [self._directory.profile(each) for each in sorted(users)]}
            if keys:
                answer["includes"]["media"] = [self._included(key) for key in keys]
        if rest:
            answer["meta"]["next_token"] = f"before-{page[-1]['id']}"
        return answer

    def _included(self, key: str) -> dict[str, Any]:
        id_ = key.partition("_")[2]
        file = self._directory.files[id_]
        [event] = [e for e in self._directory.events if key in e.get("attachments", {}).get("media_keys", ())]
        found: dict[str, Any] = {"media_key": key, "type": _word(file)}
        url = self._url(event["id"], id_, file)
        if found["type"] == "photo":
            return {**found, "url": url}
        return {**found, "variants": [{"bit_rate": 832000, "content_type": "video/mp4", "url": url}]}

    # -- customers -------------------------------------------------------------------------------------------

    def write(self, sender: str, conversation: str, order: dict[str, Any]) -> dict[str, Any]:
        file = self._files.keep(sender, order["media"]) if isinstance(order.get("media"), dict) else None
        return self._say(sender, conversation, str(order.get("text", "")), file, order.get("more"))

    def _say(
        self,
        sender: str,
        conversation: str,
        text: str,
        file: tuple[str, File] | None,
        more: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Keep a message and report it to every member whose subscriptions want it."""
        id_, now = self._directory.new_id(), time.time()
        shown, links = _shortened(text, id_)
        event: dict[str, Any] = {
            "id": id_,
            "event_type": "MessageCreate",
            "text": shown,
            "sender_id": sender,
            "dm_conversation_id": conversation,
            "created_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        }
        if links:
            event["entities"] = {"urls": links}
        data: dict[str, Any] = {"text": shown, "entities": {**_NO_ENTITIES, "urls": links}}
        if file is not None:
            event["attachments"] = {"media_keys": [f"13_{file[0]}"]}
            data["attachment"], link = self._attached(id_, *file)
            data["text"] = event["text"] = f"{shown} {link}".strip()
            page = f"https://x.com/messages/media/{id_}"
            event["entities"] = {"urls": [*links, {"start": 0, "end": 0, "url": link, "expanded_url": page}]}
        self._directory.events.append(event)
        members = self._directory.members[conversation]
        if len(members) == 2:  # X reports no messages of groups
            self._report(sender, members, id_, now, data | (more or {}))
        return event

    def _report(self, sender: str, members: set[str], id_: str, now: float, data: dict[str, Any]) -> None:
        [recipient] = (members - {sender}) or {sender}
        item = {
            "type": "message_create",
            "id": id_,
            "created_timestamp": str(int(now * 1000)),
            "message_create": {
                "target": {"recipient_id": recipient},
                "sender_id": sender,
                "message_data": data,
            },
        }
        users = {each: {"data": self._directory.profile(each)} for each in sorted(members)}
        payload = {MESSAGES: [item], "users": users}
        times = 2 if self._deliveries.twice() else 1
        self._deliveries.emit("dm.sent", sender, payload, times=times)
        self._deliveries.emit("dm.received", recipient, payload, times=times)

    def read(self, message_id: str) -> None:
        """The recipient of a message reads it. Raises `ValueError`."""
        for event in self._directory.events:
            if event["id"] == message_id:
                members = self._directory.members[event["dm_conversation_id"]]
                for reader in members - {event["sender_id"]}:
                    receipt = {
                        "created_timestamp": str(int(time.time() * 1000)),
                        "sender_id": reader,
                        "target": {"recipient_id": event["sender_id"]},
                        "last_read_event_id": message_id,
                    }
                    self._deliveries.emit("dm.read", event["sender_id"], {RECEIPTS: [receipt]})
                return
        raise ValueError("message_id: there is no such message")

    def _attached(self, message: str, id_: str, file: File) -> tuple[dict[str, Any], str]:
        """The attachment of an activity event, and its link in the text."""
        url, link = self._url(message, id_, file), f"https://t.co/m{id_[-9:]}"
        media: dict[str, Any] = {
            "id": int(id_),
            "id_str": id_,
            "type": _word(file),
            "url": link,
            "media_url_https": url,
        }
        if media["type"] != "photo":
            variant = {"bitrate": 832000, "content_type": "video/mp4", "url": url}
            media["video_info"] = {"duration_millis": 1500, "variants": [variant]}
        return {"type": "media", "media": media}, link

    def _url(self, message: str, id_: str, file: File) -> str:
        if file.category == "dm_image":
            return f"https://ton.x.com/i/ton/data/dm/{message}/{id_}/photo.jpg"
        return f"{self.base_url}/media/{id_}/video.mp4"


_NO_ENTITIES: dict[str, list[Any]] = {"hashtags": [], "symbols": [], "user_mentions": []}
_WORDS = {"dm_image": "photo", "dm_gif": "animated_gif", "dm_video": "video"}


def _word(file: File) -> str:
    return _WORDS[file.category]


def _shortened(text: str, id_: str) -> tuple[str, list[dict[str, Any]]]:
    """A text as X shows it: HTML entities for `&`, `<`, `>`, and its own links."""
    links: list[dict[str, Any]] = []

    def short(match: re.Match[str]) -> str:
        url = f"https://t.co/{len(links)}{id_[-8:]}"
        links.append(
            {"url": url, "expanded_url": match[0], "display_url": match[0][:30], "start": 0, "end": 0}
        )
        return f"\0{len(links) - 1}\0"

    marked = _LINK.sub(short, text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        marked = marked.replace(character, entity)
    for number, link in enumerate(links):
        marked = marked.replace(f"\0{number}\0", link["url"])
    return marked, links
