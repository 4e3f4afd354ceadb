"""The customers' side of the played LINE, for the control port: what they write, and what they do."""

import base64
import os
import time
from typing import Any

import msgspec

from .contents import QUOTABLE
from .state import Channel, Chat, Content

_MEDIA = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/m4a", "file": "application/pdf"}
# Types of events that can be replied to.
_REPLIED = frozenset("message messageEdited follow join postback memberJoined videoPlayComplete".split())
_REPLIED |= {"beacon", "accountLink", "membership"}
_OF_THE_ORDER = frozenset("to from group room text media mode quote timestamp".split())
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class LineCustomers:
    """A mixin of the platform."""

    channels: dict[str, Channel]

    def channel(self, channel_id: str, secret: str = "") -> Channel:
        raise NotImplementedError

    def post(self, channel: Channel, body: bytes, label: str) -> None:
        raise NotImplementedError

    def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        """Set up a channel as in the console: `{channel_id, channel_secret, callback_url, active, chat,
        quota, usage}`, of which only the first is required. Raises `ValueError`.
        """
        channel_id = order.get("channel_id")
        if not isinstance(channel_id, str) or not channel_id.isdigit():
            raise ValueError("channel_id: must be a number, as a string")
        channel = self.channel(channel_id)
        for name, field in (("channel_secret", "secret"), ("callback_url", "endpoint")):
            if name in order:
                setattr(channel, field, str(order[name]))
        for name in ("active", "chat", "quota", "usage"):
            if name in order:
                setattr(channel, name, order[name])
        return {"ok": True, "bot": channel.bot}

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, group, room, text, ...}`: `to` is a channel's id, the others are
        names or ids.

        `media` (`{type, content (base64), mime_type, filename, processing}`) sends a file, `quote` the id
        of a message quotes it; any other key of a message is sent as it is. Returns the platform's ids.
        Raises `ValueError`.
        """
        channel = self._connected(order.get("to"))
        source = self._source(channel, order)
        message: dict[str, Any] = {"id": channel.message_id(), "type": "text"}
        if "media" in order:
            message |= self._file(channel, message["id"], order["media"])
        elif "text" in order:
            message["text"] = str(order["text"])
        message |= {name: value for name, value in order.items() if name not in _OF_THE_ORDER}
        if message["type"] in QUOTABLE:
            message["quoteToken"] = channel.new_quote_token()
        if channel.chat:
            message["markAsReadToken"] = channel.new_read_token(message["id"])
        if "quote" in order:
            message["quotedMessageId"] = str(order["quote"])
        event = self._event(channel, {"type": "message", "source": source, "message": message}, order)
        self._post(channel, [event], message["id"])
        chat = source.get("groupId") or source.get("roomId") or source["userId"]
        return {"message_id": message["id"], "conversation_id": chat, "event_id": event["webhookEventId"]}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, from, group, event}`: an event of any type, completed by what every event has; or `{to,
        events}`; or `{to, webhook}`: send a whole body.

        What a customer does (`follow`, `unfollow`, `join`, `leave`) is done. Raises `ValueError`.
        """
        channel = self._connected(order.get("to"))
        if "webhook" in order:
            self.post(channel, msgspec.json.encode(order["webhook"]), "webhook")
            return {"ok": True}
        events = order.get("events", [order.get("event")])
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise ValueError("event: must be an object")
        whole = [
            self._event(channel, {"source": self._source(channel, order), **event}, order) for event in events
        ]
        for event in whole:
            self._carry_out(channel, event)
        self._post(channel, whole, str(whole[0]["type"]) if whole else "empty")
        return {"ok": True, "event_ids": [event["webhookEventId"] for event in whole]}

    # -- what the platform does ------------------------------------------------------------------------------

    def _connected(self, to: Any) -> Channel:
        connected = [channel for channel in self.channels.values() if channel.endpoint]
        found = [channel for channel in connected if to is None or channel.id == str(to)]
        if len(found) != 1:
            known = ", ".join(channel.id for channel in connected) or "none"
            raise ValueError(f"to: must be the id of one channel with a webhook (there are: {known})")
        return found[0]

    def _source(self, channel: Channel, order: dict[str, Any]) -> dict[str, Any]:
        user = channel.user(str(order.get("from", "Mei")))
        for kind, prefix in (("group", "C"), ("room", "R")):
            if kind in order:
                chat: Chat = channel.group(str(order[kind]), prefix)
                chat.members[user.id] = user
                return {"type": kind, f"{kind}Id": chat.id, "userId": user.id}
        return {"type": "user", "userId": user.id}

    def _event(self, channel: Channel, event: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
        """The event with what every event has, unless it has it."""
        source = event.get("source") or {}
        chat = source.get("groupId") or source.get("roomId") or source.get("userId") or ""
        head = {
            "mode": str(order.get("mode", "active")),
            "timestamp": int(order.get("timestamp", time.time() * 1000)),
            "webhookEventId": _ulid(),
            "deliveryContext": {"isRedelivery": False},
        }
        if event.get("type") in _REPLIED:
            head["replyToken"] = channel.new_reply_token(chat)
        return {**head, **event}

    def _carry_out(self, channel: Channel, event: dict[str, Any]) -> None:
        source = event.get("source") or {}
        if event.get("type") in ("follow", "unfollow") and "userId" in source:
            channel.user(source["userId"]).friend = event["type"] == "follow"
        chat = source.get("groupId") or source.get("roomId")
        if event.get("type") in ("join", "leave") and chat:
            channel.group(chat, chat[0]).joined = event["type"] == "join"

    def _file(self, channel: Channel, message_id: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("type") not in _MEDIA:
            raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
        kind = value["type"]
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        mime_type = str(value.get("mime_type", _MEDIA[kind]))
        channel.contents[message_id] = Content(content, mime_type, int(value.get("processing", 0)))
        if kind == "file":
            return {"type": kind, "fileName": str(value.get("filename", "a.pdf")), "fileSize": len(content)}
        shown: dict[str, Any] = {"type": kind, "contentProvider": {"type": "line"}}
        return shown | ({"duration": 60_000} if kind in ("video", "audio") else {})

    def _post(self, channel: Channel, events: list[dict[str, Any]], label: str) -> None:
        self.post(channel, msgspec.json.encode({"destination": channel.bot, "events": events}), label)


def _ulid() -> str:
    """https://github.com/ulid/spec: 48 bits of time and 80 random ones, in base 32."""
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[value >> 5 * place & 31] for place in reversed(range(26)))
