"""The customers' side of the played X, for the control port."""

import base64
import time
from typing import Any

from unifyport.providers.x.xchat.contents import AUDIO, FILE, IMAGE, VIDEO

from .chat.api import payload_of
from .chat.customers import ChatCustomers
from .chat.state import ChatEvent, ChatState
from .delivery import Deliveries
from .files import Files
from .messages import Messages
from .state import Directory, Tokens


class Customers:
    """Orders of the control port. `to` is the id of an account's user, by default the only one that has
    subscribed.
    """

    directory: Directory
    tokens: Tokens
    deliveries: Deliveries
    files: Files
    messages: Messages
    chat: ChatState
    people: ChatCustomers

    def __init__(self) -> None:
        super().__init__()
        self.typing: list[tuple[str, str]] = []

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, media, name}`; `media` is `{type, content (base64),
        mime_type}`.

        `conversation`: of a group, which X does not report; `encrypted`: a message of XChat, in a group `g…`
        if `conversation` says so. Any other key of `more` is part of `message_data`. Returns the platform's
        ids. Raises `ValueError`.
        """
        to, sender = self._account(order.get("to")), str(order.get("from", "2222"))
        if not sender.isdigit():
            raise ValueError("from: must be the id of a user")
        if "name" in order:
            self.directory.names[sender] = str(order["name"])
        if order.get("encrypted"):
            return self._encrypted(to, sender, order)
        conversation = order.get("conversation")
        if conversation is None:
            conversation = self.directory.pair(to, sender)
        else:
            self.directory.members.setdefault(str(conversation), {to, sender, "9999"}).add(sender)
        event = self.messages.write(sender, str(conversation), order)
        return {"message_id": event["id"], "conversation_id": sender}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, event_type, payload}`: report an event of any type; `{line}`: any line or body, as it is.

        Raises `ValueError`.
        """
        if "line" in order:
            for webhook in self.deliveries.webhooks.values():
                self.deliveries.send(order["line"], webhook.id)
                return {"ok": True}
            self.deliveries.send(order["line"])
            return {"ok": True}
        if not isinstance(order.get("payload"), dict):
            raise ValueError("payload: must be an object")
        user = self._account(order.get("to"))
        data = {
            "event_uuid": self.directory.new_id(),
            "filter": {"user_id": user},
            "event_type": str(order.get("event_type", "")),
            "payload": order["payload"],
        }
        hooks = [s.webhook for s in self.deliveries.subscriptions.values() if s.user == user and s.webhook]
        self.deliveries.send({"data": data}, hooks[0] if hooks else "")
        return {"ok": True}

    def receipt(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{message_id, status: "read"}`: the recipient reads a message. Raises `ValueError`."""
        if order.get("status") != "read":
            raise ValueError("status: must be read")
        self.messages.read(str(order.get("message_id", "")))
        return {"ok": True}

    def sent(self) -> list[dict[str, Any]]:
        """Messages that accounts sent, as bodies of the API, oldest first."""
        return list(self.messages.sent)

    def calls(self) -> list[dict[str, Any]]:
        return self.deliveries.callbacks.calls()

    def revoke(self, user: str) -> None:
        """A user takes the app's authorization back, which X reports."""
        self.tokens.revoke(user)
        at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        payload = {"date_time": at, "user_id": user, "app_id": "29820954"}
        data = {
            "event_uuid": self.directory.new_id(),
            "filter": {},
            "event_type": "oauth.revoke",
            "payload": payload,
        }
        hooks = list(self.deliveries.webhooks)
        self.deliveries.send({"data": data}, hooks[0] if hooks else "")

    def _encrypted(self, to: str, sender: str, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes encrypted; who has no keys sets XChat up, the account's user as well."""
        self.people.enrol(to)
        text, place = str(order.get("text", "")), str(order.get("conversation") or to)
        if "media" in order:
            media = order["media"]
            content = base64.b64decode(str(media.get("content", "")))
            kind = {"image": IMAGE, "video": VIDEO, "audio": AUDIO}.get(str(media.get("type")), FILE)
            event = self.people.send_file(
                sender, place, text, content, kind=kind, name=str(media.get("name", "file"))
            )
        else:
            event = self.people.write(sender, place, text)
        shown = sender if ":" in event.conversation else event.conversation
        return {"message_id": event.message_id, "conversation_id": shown, "sequence_id": event.sequence}

    def report_chat(self, event: ChatEvent, users: set[str]) -> None:
        """Report an event of XChat to who has subscribed. X reports no read marks."""
        if event.kind == "read":
            return
        payload = payload_of(event, self.chat.conversations[event.conversation].keys)
        for user in users:
            kind = "chat.sent" if user == event.sender else "chat.received"
            self.deliveries.emit(kind, user, payload)

    def _account(self, to: Any) -> str:
        if to is not None:
            if not str(to).isdigit():
                raise ValueError("to: must be the id of a user")
            return str(to)
        users = {each.user for each in self.deliveries.subscriptions.values()}
        if len(users) != 1:
            raise ValueError(
                f"to: must be one of {', '.join(sorted(users)) or 'none: no account has subscribed'}"
            )
        return users.pop()

    def restore(self) -> None:
        """Forget all faults and revocations."""
        super().restore()  # type: ignore[misc]
        self.tokens.revoked.clear()
