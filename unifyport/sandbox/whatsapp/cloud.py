"""WhatsApp's Cloud API, played on loopback (https://developers.facebook.com/docs/whatsapp/cloud-api).

Every number and every token of the right shape exists. A number belongs to the app that the control port
connects it to; that app's webhook is called, signed, with every event of the number, until it answers with
2xx. A business can write only to customers who wrote first, and to groups that a webhook was about.
"""

import base64
import hashlib
import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
import httpx
import trio
from quart import Response, request

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign

from ..callbacks import Callbacks, Delivery
from ..http import HttpPlatform, as_bytes, as_json, http
from ..limits import SendLimits
from ..platform import KEPT
from .contents import TEMPLATES, GraphError, check_content, groups_of

_STATUSES = ("sent", "delivered", "read", "played", "failed")
_MEDIA = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/ogg",
    "document": "application/pdf",
    "sticker": "image/webp",
}


@attrs.define
class App:
    """The settings of the app dashboard: the webhook's address, and the two secrets."""

    callback_url: str
    app_secret: str
    verify_token: str


@attrs.define
class Number:
    """A business phone number."""

    id: str
    app: App | None = None
    customers: dict[str, dict[str, Any]] = attrs.field(factory=dict)  # wa_id -> contact
    groups: set[str] = attrs.field(factory=set)
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    read: deque[str] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    typing: deque[str] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    @property
    def display(self) -> str:
        return f"+65 {self.id[-8:].rjust(8, '9')}"


@attrs.define
class Media:
    id: str
    content: bytes
    mime_type: str


class WhatsAppPlatform(HttpPlatform):
    """The platform's state, its Graph API application, and the customers' side for the control port."""

    name = "whatsapp"

    def __init__(self) -> None:
        super().__init__()
        # https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput
        self.limits = SendLimits(Pace(account=Limit(80, 80), user=Limit(1 / 6, 45)))
        self.numbers: dict[str, Number] = {}
        self.media: dict[str, Media] = {}
        self.revoked: set[str] = set()
        self.templates: list[dict[str, Any]] = [*TEMPLATES]
        self.callbacks = Callbacks()
        self._ids = itertools.count(1)
        self._base_url = ""
        self.protocols = [http(self.app, "graph_api", ("graph_api_url", "media_url"))]
        add = self.app.add_url_rule
        add("/<version>/<node>", "node", self._node, methods=["GET"])
        add("/<version>/<business>/message_templates", "templates", self._list_templates, methods=["GET"])
        add("/<version>/<number>/messages", "messages", self._messages, methods=["POST"])
        add("/<version>/<number>/media", "media", self._upload, methods=["POST"])
        add("/attachments/<media_id>", "attachment", self._attachment, methods=["GET"])

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """Also keeps the Graph API's address: media links start with it."""
        self._base_url = addresses["graph_api"]
        return super().endpoints(addresses)

    async def run(self) -> None:
        await self.callbacks.run()

    # -- the Graph API ---------------------------------------------------------------------------------------

    async def _node(self, version: str, node: str) -> Response:
        """Describe a number or a media file."""
        return await self._graph("node", node, lambda: self._describe(node))

    async def _list_templates(self, version: str, business: str) -> Response:
        """All templates belong to every business account here."""

        def listing() -> dict[str, Any]:
            wanted, found = request.args, []
            for each in self.templates:
                fits = all(each[name] == wanted.get(name, each[name]) for name in ("language", "status"))
                if fits and wanted.get("name", "") in each["name"]:
                    found.append(each)
            first = int(wanted.get("after", 0))
            beyond = first + int(wanted.get("limit", 25))
            page: dict[str, Any] = {"data": found[first:beyond]}
            if beyond < len(found):
                page["paging"] = {"cursors": {"after": str(beyond)}, "next": f"{self._base_url}/next"}
            return page

        return await self._graph("templates", business, listing)

    async def _messages(self, version: str, number: str) -> Response:
        body = await request.get_json(silent=True)
        return await self._graph("messages", number, lambda: self._accept(number, body))

    async def _upload(self, version: str, number: str) -> Response:
        form, files = await request.form, await request.files

        def keep() -> dict[str, Any]:
            file = files.get("file")
            if form.get("messaging_product") != "whatsapp" or file is None or not form.get("type"):
                raise GraphError(400, 100, "(#100) messaging_product, type and file are required.")
            media = Media(f"{10**14 + next(self._ids)}", file.stream.read(), form["type"])
            self.media[media.id] = media
            return {"id": media.id}

        return await self._graph("media", number, keep)

    async def _graph(self, method: str, node: str, handler: Callable[[], dict[str, Any]]) -> Response:
        async def handle() -> Response:
            await trio.lowlevel.checkpoint()
            try:
                self._authorize(method)
                return as_json(handler())
            except GraphError as error:
                return _refuse(error)

        return await self.answer(node, method, handle)

    def rate_limited(self, seconds: int) -> Response:
        return _refuse(GraphError(429, 130429, "(#130429) Rate limit hit"))

    def failed(self) -> Response:
        return _refuse(GraphError(500, 131000, "(#131000) Something went wrong"))

    def _authorize(self, method: str) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.faults.next(method, "logout") is not None:
            self.revoked.add(token)
        if scheme != "Bearer" or not token or token in self.revoked or token.startswith("wrong"):
            raise GraphError(401, 190, "Invalid OAuth access token - Cannot parse access token")

    def _describe(self, node: str) -> dict[str, Any]:
        file = self.media.get(node)
        if file is not None:
            return {
                "messaging_product": "whatsapp",
                "url": f"{self._base_url}/attachments/{file.id}?ext={int(time.time()) + 300}",
                "mime_type": file.mime_type,
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "file_size": len(file.content),
                "id": file.id,
            }
        if not node.isdigit() or node.startswith("404") or "phone_number_id" in request.args:
            raise GraphError(
                400,
                100,
                f"Unsupported get request. Object with ID '{node}' does not exist",
            )
        number = self._number(node)
        return {
            "id": number.id,
            "display_phone_number": number.display,
            "verified_name": f"Sandbox {number.id}",
            "quality_rating": "GREEN",
        }

    def _accept(self, number_id: str, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise GraphError(400, 100, "(#100) The parameter messaging_product is required.")
        number = self._number(number_id)
        if body.get("status") == "read":
            number.read.append(str(body.get("message_id", "")))
            if "typing_indicator" in body:
                number.typing.append(str(body.get("message_id", "")))
            return {"success": True}
        check_content(body, self.media.keys(), self.templates)
        recipient = str(body.get("to") or body.get("recipient") or "").lstrip("+")
        if body.get("recipient_type") == "group":
            if recipient not in number.groups:
                raise GraphError(400, 131041, "(#131041) Group unknown")
        elif recipient not in number.customers and (
            body.get("type") != "template" or not recipient.isdigit()
        ):
            raise GraphError(
                400,
                131047,
                "(#131047) Re-engagement message",
                "More than 24 hours have passed since the customer last replied to this number.",
            )
        self._enforce_limits(number_id, recipient)
        message = {"id": self._wamid(), "at": time.time(), **body}
        number.sent.append(message)
        self._status(number, message["id"], recipient, "sent", tracker=body.get("biz_opaque_callback_data"))
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": recipient, "wa_id": recipient}],
            "messages": [{"id": message["id"]}],
        }

    def _enforce_limits(self, number_id: str, recipient: str) -> None:
        """Raises `GraphError` (429) for a message above the limits, while they are enforced."""
        if self.faults.next("send", "limits") is None:
            return
        wait, of_number = self.limits.take(number_id, recipient, "user")
        if wait > 0 and of_number:
            raise GraphError(429, 130429, "(#130429) Rate limit hit")
        if wait > 0:
            text = "(#131056) (Business Account, Consumer Account) pair rate limit hit"
            raise GraphError(400, 131056, text)

    async def _attachment(self, media_id: str) -> Response:
        await trio.lowlevel.checkpoint()
        try:
            self._authorize("attachment")
        except GraphError as error:
            return _refuse(error)
        file = self.media.get(media_id)
        if file is None:
            return Response(b"", 404)
        return Response(file.content, 200, content_type=file.mime_type)

    # -- the customers' side ---------------------------------------------------------------------------------

    async def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        """Set up an app as in the dashboard: `{callback_url, app_secret, verify_token, phone_number_ids}`.

        Checks the address by a challenge, as the platform does. Raises `ValueError`.
        """
        texts = {name: order.get(name) for name in ("callback_url", "app_secret", "verify_token")}
        for name, text in texts.items():
            if not isinstance(text, str) or not text:
                raise ValueError(f"{name}: is required")
        numbers = order.get("phone_number_ids")
        if not isinstance(numbers, list) or not all(isinstance(n, str) and n.isdigit() for n in numbers):
            raise ValueError("phone_number_ids: must be a list of numbers as strings")
        app = App(**{name: str(text) for name, text in texts.items()})
        challenge = os.urandom(8).hex()
        query = {"hub.mode": "subscribe", "hub.verify_token": app.verify_token, "hub.challenge": challenge}
        async with httpx.AsyncClient(trust_env=False, timeout=10, verify=False) as client:  # noqa: S501  loopback
            try:
                response = await client.get(app.callback_url, params=query)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ValueError(f"callback_url: {type(error).__name__}") from None
        if response.status_code != 200 or response.text != challenge:
            raise ValueError(f"callback_url: it answered the challenge with HTTP {response.status_code}")
        for number in numbers:
            self._number(number).app = app
        return {"ok": True}

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a number's id, `from` a customer's phone.

        `media` (`{type, content (base64), mime_type, caption, filename}`) sends a file; any other key of a
        Cloud API message is sent as it is. Returns the platform's ids. Raises `ValueError`.
        """
        number = self._connected(order.get("to"))
        customer = self._customer(number, order)
        message: dict[str, Any] = {
            "id": self._wamid(),
            "from": customer["wa_id"],
            "from_user_id": customer["user_id"],
            "timestamp": str(order.get("timestamp", int(time.time()))),
        }
        if "media" in order:
            message |= self._file(order["media"])
        elif "text" in order:
            message |= {"type": "text", "text": {"body": str(order["text"])}}
        message |= {
            k: v for k, v in order.items() if k not in ("to", "from", "name", "text", "media", "timestamp")
        }
        self._push(number, {"contacts": [customer], "messages": [message]}, message["id"])
        return {"message_id": message["id"], "conversation_id": customer["wa_id"]}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, value, field}`: send a `value` of any shape, of the field `messages` if none is given;
        or `{to, webhook}`: send a whole body.

        Raises `ValueError`.
        """
        number = self._connected(order.get("to"))
        if "webhook" in order:
            self._post(number, as_bytes(order["webhook"]), "webhook")
        elif isinstance(order.get("value"), dict):
            self._push(number, order["value"], "value", field=str(order.get("field", "messages")))
        else:
            raise ValueError("value: must be an object")
        return {"ok": True}

    def receipt(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{message_id, status}`: report a status of a message that a business sent. Raises `ValueError`."""
        status = order.get("status")
        if status not in _STATUSES:
            raise ValueError(f"status: must be one of {', '.join(_STATUSES)}")
        for number in self.numbers.values():
            for message in number.sent:
                if message["id"] == order.get("message_id"):
                    recipient = str(message.get("to") or message.get("recipient"))
                    tracker = message.get("biz_opaque_callback_data")
                    errors = order.get("errors")
                    self._status(number, message["id"], recipient, status, tracker=tracker, errors=errors)
                    return {"ok": True}
        raise ValueError("message_id: no such message was sent")

    def sent(self) -> list[dict[str, Any]]:
        """Messages that businesses sent, as Cloud API request bodies, oldest first."""
        found = [{"account": n.id, **message} for n in self.numbers.values() for message in n.sent]
        return sorted(found, key=lambda message: message["at"])

    def calls(self) -> list[dict[str, Any]]:
        return self.callbacks.calls()

    def marked_read(self) -> list[dict[str, Any]]:
        return [{"account": n.id, "message_id": read} for n in self.numbers.values() for read in n.read]

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        self.revoked.clear()

    # -- what the platform does ------------------------------------------------------------------------------

    def _number(self, number_id: str) -> Number:
        if number_id not in self.numbers:
            self.numbers[number_id] = Number(number_id)
        return self.numbers[number_id]

    def _connected(self, to: Any) -> Number:
        connected = [number for number in self.numbers.values() if number.app is not None]
        found = [number for number in connected if to is None or number.id == str(to)]
        if len(found) != 1:
            known = ", ".join(number.id for number in connected) or "none"
            raise ValueError(f"to: must be the id of one number with a webhook (there are: {known})")
        return found[0]

    def _customer(self, number: Number, order: dict[str, Any]) -> dict[str, Any]:
        phone = str(order.get("from", "6590000001")).lstrip("+")
        if not phone.isdigit():
            raise ValueError("from: must be a phone number")
        contact: dict[str, Any] = {
            "profile": {"name": str(order.get("name", f"Customer {phone}"))},
            "wa_id": phone,
            "user_id": f"SG.{phone[::-1]}",
        }
        number.customers[phone] = number.customers[contact["user_id"]] = contact
        return contact

    def _file(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("type") not in _MEDIA:
            raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
        kind = value["type"]
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        file = Media(str(10**14 + next(self._ids)), content, str(value.get("mime_type", _MEDIA[kind])))
        self.media[file.id] = file
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        shown = {"id": file.id, "mime_type": file.mime_type, "sha256": digest}
        shown |= {name: str(value[name]) for name in ("caption", "filename") if name in value}
        return {"type": kind, kind: shown}

    def _status(
        self,
        number: Number,
        message_id: str,
        recipient: str,
        status: str,
        *,
        tracker: Any = None,
        errors: Any = None,
    ) -> None:
        if number.app is None:
            return
        item: dict[str, Any] = {"id": message_id, "status": status, "timestamp": str(int(time.time()))}
        contacts: list[dict[str, Any]] = []
        if recipient in number.groups:
            item |= {"recipient_id": recipient, "recipient_type": "group"}
        else:
            unknown = {"wa_id": recipient, "user_id": f"SG.{recipient[::-1]}"}
            contacts = [number.customers.get(recipient, unknown)]
            item |= {"recipient_id": contacts[0]["wa_id"], "recipient_user_id": contacts[0]["user_id"]}
        if tracker:
            item["biz_opaque_callback_data"] = tracker
        if status == "failed":
            item["errors"] = errors or [
                {
                    "code": 131026,
                    "title": "Message undeliverable",
                    "message": "Message undeliverable",
                    "error_data": {"details": "The recipient is not on WhatsApp."},
                }
            ]
        self._push(number, {"contacts": contacts, "statuses": [item]}, f"{message_id} {status}")

    def _push(self, number: Number, value: dict[str, Any], label: str, *, field: str = "messages") -> None:
        number.groups |= groups_of(value)
        value = {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": number.display.replace(" ", "").lstrip("+"),
                "phone_number_id": number.id,
            },
            **value,
        }
        body = {
            "object": "whatsapp_business_account",
            "entry": [
                {
                    "id": f"1{number.id}",
                    "time": int(time.time()),
                    "changes": [{"value": value, "field": field}],
                }
            ],
        }
        self._post(number, as_bytes(body), label)

    def _post(self, number: Number, body: bytes, label: str) -> None:
        assert number.app is not None
        times = 2 if self.faults.next("webhook", "duplicate") is not None else 1
        headers = {"content-type": "application/json", SIGNATURE: sign(number.app.app_secret, body)}
        for _ in range(times):
            self.callbacks.order(Delivery(number.app.callback_url, headers, body, label))

    def _wamid(self) -> str:
        raw = next(self._ids).to_bytes(4) + os.urandom(12)
        return "wamid." + base64.b64encode(raw).decode().rstrip("=")


def _refuse(error: GraphError) -> Response:
    body: dict[str, Any] = {
        "message": error.message,
        "type": "OAuthException",
        "code": error.code,
        "fbtrace_id": "sandbox",
    }
    if error.details:
        body["error_data"] = {"messaging_product": "whatsapp", "details": error.details}
    return as_json({"error": body}, error.status)
