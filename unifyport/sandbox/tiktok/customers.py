"""The customers' side of TikTok, for the control port: what they write, press and read."""

import base64
import time
from typing import Any

from .calls import send_echo
from .state import Business, Conversation, File
from .world import World

_FILES = {"image": "image/jpeg", "video": "video/mp4"}
_CONTROLS = ("to", "from", "name", "text", "media", "timestamp")


class Customers(World):
    """The part of the platform that plays the customers."""

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a business account, `from` a customer.

        `media` (`{type, content (base64), mime_type}`) sends an image or video; any other key of a message
        is sent as it is. `timestamp`: unix ms. Returns the platform's ids. Raises `ValueError`.
        """
        business = self._connected(order.get("to"))
        chat = self._chat(business, order)
        at = int(order.get("timestamp", time.time_ns() // 1_000_000))
        message: dict[str, Any] = {"message_id": self.new_id("msg"), "timestamp": at}
        if "media" in order:
            message |= self._sent_file(order["media"])
        elif "text" in order:
            message |= {"type": "text", "text": {"body": str(order["text"])}}
        message |= {name: value for name, value in order.items() if name not in _CONTROLS}
        content = {**self._from_customer(business, chat), **message}
        chat.hear(at)
        chat.messages.append(content)
        self.report(business, "im_receive_msg", content, str(message["message_id"]))
        return {"message_id": message["message_id"], "conversation_id": chat.id}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, event, content}`: send any event. `from`: with the fields of this customer's conversation;
        `echo`: the content of a message that the owner has written in the app.

        Raises `ValueError`.
        """
        business = self._connected(order.get("to"))
        if "echo" in order:
            chat = self._chat(business, order)
            at = {"timestamp": time.time_ns() // 1_000_000}
            send_echo(self, business, chat, {"message_id": self.new_id("msg"), **at, **order["echo"]})
            return {"ok": True}
        content = order.get("content", {})
        if "from" in order:
            content = {**self._from_customer(business, self._chat(business, order)), **content}
        self.report(business, str(order.get("event")), content, str(order.get("event")))
        return {"ok": True}

    def receipt(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{message_id}`: the customer has read all messages up to this one. Raises `ValueError`."""
        for business in self.businesses.values():
            for chat in business.conversations.values():
                for message in chat.messages:
                    if message["message_id"] == order.get("message_id"):
                        read = {"read": {"last_read_timestamp": message["timestamp"]}}
                        now = {"timestamp": time.time_ns() // 1_000_000}
                        content = {**self._from_customer(business, chat), **now, **read}
                        self.report(business, "im_mark_read_msg", content, "read")
                        return {"ok": True}
        raise ValueError("message_id: no such message was sent")

    # -- what they name --------------------------------------------------------------------------------------

    def _connected(self, to: Any) -> Business:
        connected = [each for each in self.businesses.values() if each.client_key]
        found = [each for each in connected if to is None or each.id == str(to)]
        if len(found) != 1:
            known = ", ".join(each.id for each in connected) or "none"
            raise ValueError(f"to: must be one business account that is connected (there are: {known})")
        return found[0]

    def _chat(self, business: Business, order: dict[str, Any]) -> Conversation:
        person = str(order.get("from", "customer-1"))
        id_ = "conv+" + base64.b64encode(f"{business.id}|{person}".encode()).decode()
        name = str(order.get("name", f"user.{person}"))
        return business.conversations.setdefault(id_, Conversation(id_, person, name))

    def _from_customer(self, business: Business, chat: Conversation) -> dict[str, Any]:
        return {
            "from": chat.username,
            "to": business.username,
            "unique_identifier": chat.customer,
            "from_user": {"id": chat.customer, "role": "personal_account"},
            "to_user": {"id": business.id, "role": "business_account"},
            "conversation_id": chat.id,
            "is_follower": True,
            "timestamp": time.time_ns() // 1_000_000,
        }

    def _sent_file(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("type") not in _FILES:
            raise ValueError(f"media.type: must be one of {', '.join(_FILES)}")
        kind = value["type"]
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        file = File(self.new_id("media"), content, str(value.get("mime_type", _FILES[kind])))
        self.media[file.id] = file
        return {"type": kind, kind: {"media_id": file.id}}
