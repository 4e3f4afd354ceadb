"""Zalo's Bot Platform, played on loopback (https://bot.zaloplatforms.com/docs).

Every token of the right shape is a bot, created on its first use. `getUpdates` returns one update, which is
gone by that; while a webhook is set it is refused. A bot can write only to chats that wrote first.
"""

import itertools
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from quart import Response, request

from unifyport.providers.zalo.bot.limits import MAX_TEXT
from unifyport.providers.zalo.bot.signature import SECRET_TOKEN

from ..callbacks import Callbacks, Delivery
from ..http import as_json, http
from .files import FilesAtUrls
from .state import Bot, BotApiError

_TOKEN = re.compile(r"(\d+):[A-Za-z0-9_-]+")
_KINDS = {"image": "photo_url", "sticker": "url", "voice": "voice_url"}  # field of the file's URL
_LONGEST_POLL = 60.0


class ZaloBotPlatform(FilesAtUrls):
    """The platform's state, its application, and the customers' side for the control port.

    `status_is_code`: the status of an error is its code, as clients in the open expect; else it is 200, as
    the documentation has it.
    """

    name = "zalo"

    def __init__(self) -> None:
        super().__init__()
        self.bots: dict[str, Bot] = {}
        self.status_is_code = False
        self.callbacks = Callbacks()
        self._ids = itertools.count(1)
        self.protocols = [http(self.app, "bot_api", ("bot_api_url",))]
        self.app.add_url_rule("/bot<token>/<method>", "call", self._call, methods=["GET", "POST"])

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        self.base_url = addresses["bot_api"]
        return {**super().endpoints(addresses), "media_hosts": "127.0.0.1"}

    async def run(self) -> None:
        await self.callbacks.run()

    # -- the Bot Platform ------------------------------------------------------------------------------------

    async def _call(self, token: str, method: str) -> Response:
        return await self.answer(token.partition(":")[0], method, lambda: self._handle(token, method))

    async def _handle(self, token: str, method: str) -> Response:
        await trio.lowlevel.checkpoint()
        try:
            bot = self._bot(token, method)
            handler = _METHODS.get(method.lower())
            if handler is None:
                raise BotApiError(404, "Not Found: method not found")
            result = await handler(self, bot, await _parameters())
            return as_json({"ok": True} if result is None else {"ok": True, "result": result})
        except BotApiError as error:
            return self._refuse(error)

    def rate_limited(self, seconds: int) -> Response:
        return self._refuse(BotApiError(429, "Quota exceeded"))

    def _refuse(self, error: BotApiError) -> Response:
        body = {"ok": False, "error_code": error.code, "description": error.description}
        return as_json(body, error.code if self.status_is_code else 200)

    def failed(self) -> Response:
        return as_json({"ok": False, "error_code": 500, "description": "Internal server error"}, 500)

    def _bot(self, token: str, method: str) -> Bot:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise BotApiError(401, "Unauthorized")
        bot = self.bots.get(token)
        if bot is None:
            bot = self.bots[token] = Bot(match[1], token)
        if self.faults.next(method, "logout") is not None:
            bot.revoked = True
        if bot.revoked or token.endswith(":wrong"):
            raise BotApiError(401, "Unauthorized")
        return bot

    async def _get_me(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        name = f"bot.{bot.id}"
        return {
            "id": bot.id,
            "account_name": name,
            "display_name": f"Bot {bot.id}",
            "account_type": "BASIC",
            "can_join_groups": True,
        }

    async def _get_updates(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        if bot.webhook is not None:
            raise BotApiError(400, "Bad Request: a webhook is set")
        timeout = min(float(parameters.get("timeout", 30)), _LONGEST_POLL)
        with trio.move_on_after(timeout):
            while not bot.updates:
                await bot.news.wait()
        if not bot.updates:
            raise BotApiError(408, "Request timeout")
        return bot.updates.popleft()

    async def _set_webhook(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        """As on the platform, except that plain http is accepted: calls stay on this machine."""
        url, secret = str(parameters.get("url", "")), str(parameters.get("secret_token", ""))
        if not url.startswith(("http://", "https://")):
            raise BotApiError(400, "Bad Request: url must be an https URL")
        if not 8 <= len(secret) <= 256:
            raise BotApiError(400, "Bad Request: secret_token must have 8 to 256 characters")
        bot.webhook = {"url": url, "secret_token": secret, "updated_at": int(time.time() * 1000)}
        while bot.updates:
            self._deliver(bot, bot.updates.popleft())
        return await self._webhook_info(bot, parameters)

    async def _webhook_info(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        if bot.webhook is None:
            return {"url": "", "updated_at": 0}
        return {"url": bot.webhook["url"], "updated_at": bot.webhook["updated_at"]}

    async def _delete_webhook(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        bot.webhook = None
        return {"url": "", "updated_at": int(time.time() * 1000)}

    async def _send_chat_action(self, bot: Bot, parameters: dict[str, Any]) -> None:
        chat = self._chat(bot, parameters)
        if parameters.get("action") not in ("typing", "upload_photo"):
            raise BotApiError(400, "Bad Request: unknown action")
        bot.typing.append(chat)

    async def _send_message(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= len(str(parameters.get("text", ""))) <= MAX_TEXT:
            raise BotApiError(400, f"Bad Request: text must have 1 to {MAX_TEXT} characters")
        return self._said(bot, parameters)

    async def _send_photo(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        if not str(parameters.get("photo", "")).startswith(("https://", "http://127.0.0.1")):
            raise BotApiError(400, "Bad Request: photo must be a URL")
        if len(str(parameters.get("caption", ""))) > MAX_TEXT:
            raise BotApiError(400, "Bad Request: caption is too long")
        return self._said(bot, parameters)

    async def _send_sticker(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        if not parameters.get("sticker"):
            raise BotApiError(400, "Bad Request: sticker is required")
        return self._said(bot, parameters)

    async def _send_voice(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(bot, parameters)
        if bot.chats[chat] != "PRIVATE" or not str(parameters.get("voice_url", "")).startswith("https://"):
            raise BotApiError(400, "Bad Request: voice_url")
        return self._said(bot, parameters)

    def _said(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        self._chat(bot, parameters)
        known = {"message_id": self._message_id(), "date": int(time.time() * 1000)}
        bot.sent.append({**parameters, **known})
        return known

    def _chat(self, bot: Bot, parameters: dict[str, Any]) -> str:
        chat = str(parameters.get("chat_id", ""))
        if chat not in bot.chats:
            raise BotApiError(400, "Bad Request: chat not found")
        return chat

    # -- the customers' side ---------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a bot's id, `from` a user's id.

        `chat` is the id of a group; `media` (`{type, content (base64)}`) sends a file of type image, sticker
        or voice; `kind` names another event, and any other key of a message is sent as it is. Returns the
        platform's ids. Raises `ValueError`.
        """
        bot = self._connected(order.get("to"))
        user = str(order.get("from", "6ede9afa66b88fe6d6a9"))
        chat, kind = str(order.get("chat", user)), str(order.get("kind", "text"))
        bot.chats[chat] = "GROUP" if "chat" in order else "PRIVATE"
        message: dict[str, Any] = {
            "from": {"id": user, "display_name": str(order.get("name", f"Customer {user}")), "is_bot": False},
            "chat": {"id": chat, "chat_type": bot.chats[chat]},
            "message_id": str(order.get("message_id", self._message_id())),
            "date": int(order.get("date", time.time() * 1000)),
        }
        if "media" in order:
            kind, url, _ = self.keep_file(order["media"], tuple(_KINDS))
            message[_KINDS[kind]] = url
        beside = ("to", "from", "chat", "name", "kind", "media", "message_id", "date")
        message |= {name: value for name, value in order.items() if name not in beside}
        self._queue(bot, {"event_name": f"message.{kind}.received", "message": message})
        return {"message_id": message["message_id"], "conversation_id": chat}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, update}`: queue an update of any shape as it is. Raises `ValueError`."""
        update = order.get("update")
        if not isinstance(update, dict):
            raise ValueError("update: must be an object")
        self._queue(self._connected(order.get("to")), update)
        return {"ok": True}

    def sent(self) -> list[dict[str, Any]]:
        """Parameters of the messages that bots sent, with the ids, oldest first for each bot."""
        return [{"account": bot.id, **message} for bot in self.bots.values() for message in bot.sent]

    def calls(self) -> list[dict[str, Any]]:
        return self.callbacks.calls()

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        for bot in self.bots.values():
            bot.revoked = False

    def _queue(self, bot: Bot, update: dict[str, Any]) -> None:
        if bot.webhook is not None:
            self._deliver(bot, update)
            return
        bot.updates.append(update)
        bot.news.set()
        bot.news = trio.Event()

    def _deliver(self, bot: Bot, update: dict[str, Any]) -> None:
        assert bot.webhook is not None
        body = msgspec.json.encode({"ok": True, "result": update})
        headers = {"content-type": "application/json", SECRET_TOKEN: bot.webhook["secret_token"]}
        times = 2 if self.faults.next("webhook", "duplicate") is not None else 1
        for _ in range(times):
            self.callbacks.order(Delivery(bot.webhook["url"], headers, body, str(update.get("event_name"))))

    def _message_id(self) -> str:
        return f"{next(self._ids):08x}f3a4d9c01b"

    def _connected(self, to: Any) -> Bot:
        found = [bot for bot in self.bots.values() if to is None or str(to) in (bot.id, bot.token)]
        if len(found) != 1:
            known = ", ".join(bot.id for bot in self.bots.values()) or "none"
            raise ValueError(f"to: must be the id of one connected bot (connected: {known})")
        return found[0]


_Method = Callable[[ZaloBotPlatform, Bot, dict[str, Any]], Awaitable[Any]]
_METHODS: dict[str, _Method] = {
    "getme": ZaloBotPlatform._get_me,
    "getupdates": ZaloBotPlatform._get_updates,
    "setwebhook": ZaloBotPlatform._set_webhook,
    "getwebhookinfo": ZaloBotPlatform._webhook_info,
    "deletewebhook": ZaloBotPlatform._delete_webhook,
    "sendmessage": ZaloBotPlatform._send_message,
    "sendphoto": ZaloBotPlatform._send_photo,
    "sendsticker": ZaloBotPlatform._send_sticker,
    "sendvoice": ZaloBotPlatform._send_voice,
    "sendchataction": ZaloBotPlatform._send_chat_action,
}


async def _parameters() -> dict[str, Any]:
    """The parameters of a call, from the query and the body (JSON or a form)."""
    parameters: dict[str, Any] = dict(request.args.items())
    if request.mimetype == "application/json":
        body = await request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BotApiError(400, "Bad Request: can't parse JSON object")
        return parameters | body
    return parameters | dict((await request.form).items())
