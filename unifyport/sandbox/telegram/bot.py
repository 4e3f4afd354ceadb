"""Telegram's Bot API, played on loopback (https://core.telegram.org/bots/api).

Every token of the right shape is a bot, created on its first use. Updates are kept until `getUpdates`
confirms them with a higher offset; of two polls of one bot the older ends with 409, as on the real platform.
A bot can write only to chats that wrote first.
"""

import base64
import contextlib
import math
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import trio
from quart import Response, request

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit
from unifyport.providers.telegram.bot.sent_kinds import MAX_CAPTION
from unifyport.providers.telegram.bot.signature import SECRET_TOKEN
from unifyport.providers.telegram.bot.updates import ALLOWED_UPDATES

from ..http import HttpPlatform, as_bytes, as_json, http
from ..limits import SendLimits
from ..platform import KEPT
from .actions import ACTIONS, chat_in
from .albums import contents_of_album
from .contents import CONTENTS, FILES, described, file_parameters, options
from .presses import press
from .state import Bot, BotApiError, bad_request, structured, whole

_TOKEN = re.compile(r"(\d+):[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
# Parameters of sends that the message does not show.
_NOT_SHOWN = (
    "parse_mode",
    "duration",
    "disable_notification",
    "link_preview_options",
    "reply_markup",
    "show_caption_above_media",
    "has_spoiler",
    "direct_messages_topic_id",
    "allow_paid_broadcast",
)
_FIRST_RETRY, _LAST_RETRY = 0.1, 2.0
_POLL_LIMIT = 100


class TelegramPlatform(HttpPlatform):
    """The platform's state, its Bot API application, and the customers' side for the control port."""

    name = "telegram"

    def __init__(self) -> None:
        super().__init__()
        # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
        self.limits = SendLimits(Pace(account=Limit(30, 30), user=Limit(1, 5), group=Limit(20 / 60, 20)))
        self.bots: dict[str, Bot] = {}
        self.files: dict[str, bytes] = {}
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._webhook_set = trio.Event()
        self.protocols = [http(self.app, "bot_api", ("bot_api_url",))]
        self.app.add_url_rule("/bot<token>/<method>", "call", self._call, methods=["GET", "POST"])
        self.app.add_url_rule("/file/bot<token>/<path:path>", "file", self._file, methods=["GET"])

    async def run(self) -> None:
        """Call the webhooks of all bots, each with one update at a time, in order."""
        serving: set[str] = set()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=15, verify=False) as client,  # noqa: S501  loopback
            trio.open_nursery() as nursery,
        ):
            while True:
                for bot in self.bots.values():
                    if bot.webhook is not None and bot.token not in serving:
                        serving.add(bot.token)
                        nursery.start_soon(self._call_webhook, client, bot)
                await self._webhook_set.wait()
                self._webhook_set = trio.Event()

    async def _call_webhook(self, client: httpx.AsyncClient, bot: Bot) -> None:
        pause = _FIRST_RETRY
        while True:
            while bot.webhook is None or not bot.updates:
                await bot.news.wait()
            update = bot.updates[0]
            status = await self._call_once(client, bot, bot.webhook, update)
            if status is not None and 200 <= status < 300:
                if bot.updates and bot.updates[0] is update:
                    bot.updates.popleft()
                pause = _FIRST_RETRY
                continue
            await trio.sleep(pause)
            pause = min(pause * 2, _LAST_RETRY)

    async def _carry_out(self, bot: Bot, response: httpx.Response) -> None:
        """Do what the answer to a webhook asks for; the platform does not say whether it worked."""
        if not response.headers.get("content-type", "").startswith("application/json"):
            return
        with contextlib.suppress(BotApiError, msgspec.DecodeError):
            parameters = msgspec.json.decode(response.content, type=dict[str, Any])
            handler = _METHODS.get(str(parameters.pop("method", "")).lower())
            if handler is not None:
                await handler(self, bot, parameters)

    async def _call_once(
        self, client: httpx.AsyncClient, bot: Bot, webhook: dict[str, Any], update: dict[str, Any]
    ) -> int | None:
        headers = {"content-type": "application/json"}
        if "secret_token" in webhook:
            headers[SECRET_TOKEN] = webhook["secret_token"]
        status = None
        try:
            response = await client.post(webhook["url"], content=as_bytes(update), headers=headers)
            status = response.status_code
            if status == 200:
                await self._carry_out(bot, response)
        except (httpx.HTTPError, httpx.InvalidURL):
            pass
        self._calls.append({"url": webhook["url"], "label": str(update["update_id"]), "status": status})
        return status

    def calls(self) -> list[dict[str, Any]]:
        return list(self._calls)

    # -- the Bot API -----------------------------------------------------------------------------------------

    async def _call(self, token: str, method: str) -> Response:
        return await self.answer(token.partition(":")[0], method, lambda: self._handle(token, method))

    async def _handle(self, token: str, method: str) -> Response:
        try:
            bot = self._bot(token, method)
            handler = _METHODS.get(method.lower())
            if handler is None:
                raise BotApiError(404, "Not Found: method not found")
            return as_json({"ok": True, "result": await handler(self, bot, await _parameters())})
        except BotApiError as error:
            return _refuse(error)

    def rate_limited(self, seconds: int) -> Response:
        text = f"Too Many Requests: retry after {seconds}"
        return _refuse(BotApiError(429, text, retry_after=seconds))

    def failed(self) -> Response:
        return _refuse(BotApiError(500, "Internal Server Error"))

    def _bot(self, token: str, method: str) -> Bot:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise BotApiError(404, "Not Found")
        bot = self.bots.get(token)
        if bot is None:
            bot = self.bots[token] = Bot(int(match[1]), token)
        if self.faults.next(method, "logout") is not None:
            bot.revoked = True
        if bot.revoked:
            raise BotApiError(401, "Unauthorized")
        return bot

    async def _get_me(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {
            **bot.user,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _get_updates(self, bot: Bot, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if bot.webhook is not None:
            raise BotApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active;"
                " use deleteWebhook to delete the webhook first",
            )
        if self.faults.next("getUpdates", "conflict") is not None:
            raise BotApiError(409, "Conflict: terminated by other getUpdates request")
        bot.allow(parameters)
        offset, timeout = whole(parameters, "offset", 0), whole(parameters, "timeout", 0)
        limit = min(max(1, whole(parameters, "limit", _POLL_LIMIT)), _POLL_LIMIT)
        if bot.poll is not None:
            bot.poll.cancel()
        if offset > 0:
            while bot.updates and bot.updates[0]["update_id"] < offset:
                bot.updates.popleft()
        with trio.CancelScope() as bot.poll:
            mine = bot.poll
            with trio.move_on_after(timeout):
                while not bot.updates:
                    await bot.news.wait()
            await trio.lowlevel.checkpoint()
        if mine.cancelled_caught:
            raise BotApiError(409, "Conflict: terminated by other getUpdates request")
        bot.poll = None
        found = list(bot.updates)[:limit]
        if found and self.faults.next("getUpdates", "duplicate") is not None:
            found.append(found[-1])
        return found

    async def _send(
        self, content: Callable[[Bot, dict[str, Any]], dict[str, Any]], bot: Bot, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return self._said(bot, parameters, content(bot, parameters))

    async def _act(self, method: str, bot: Bot, parameters: dict[str, Any]) -> Any:
        await trio.lowlevel.checkpoint()
        result = ACTIONS[method](bot, parameters)
        bot.actions.append((method, parameters))
        return result

    async def _send_file(self, field: str, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        """Accept a file in a form. Files given by URL or `file_id` are not supported."""
        file = (await request.files).get(field)
        if file is None:
            raise bad_request(f"there is no {field} in the request")
        content = file.stream.read()
        if len(str(parameters.get("caption", ""))) > MAX_CAPTION:
            raise bad_request("message caption is too long")
        more = file_parameters(field, parameters)
        if field in ("video", "audio", "document", "animation"):
            more["file_name"] = file.filename
        shown = described(field, self._keep(content), len(content), more)
        kept: dict[str, Any] = {k: parameters[k] for k in ("caption",) if k in parameters}
        if entities := structured(parameters, "caption_entities", list):
            kept["caption_entities"] = entities
        return self._said(bot, parameters, {field: shown, **kept})

    async def _send_album(self, bot: Bot, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Files by `file_id`, by a URL, which is not fetched here, or in the form."""
        await trio.lowlevel.checkpoint()
        media = structured(parameters, "media", list) or []
        uploads = {name: (file.stream.read(), file.filename) for name, file in (await request.files).items()}
        found = contents_of_album(media, uploads, self._keep, self.files)
        return [self._said(bot, parameters, content) for content in found]

    def _said(self, bot: Bot, parameters: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        """Store a message of the bot. Raises `BotApiError` (400) if the chat has never written to the bot."""
        chat = chat_in(bot, parameters)
        shown = options(bot, chat, parameters)
        self._enforce_limits(bot, chat)
        message = {
            "message_id": bot.message_id(chat["id"]),
            "from": bot.user,
            "chat": chat,
            "date": int(time.time()),
            **content,
            **shown,
        }
        bot.keep(message)
        bot.sent.append(message | {name: parameters[name] for name in _NOT_SHOWN if name in parameters})
        return message

    def _enforce_limits(self, bot: Bot, chat: dict[str, Any]) -> None:
        """Raises `BotApiError` (429) for a message above the limits, while they are enforced."""
        if self.faults.next("send", "limits") is None:
            return
        kind = "user" if chat["type"] == "private" else "group"
        wait, _ = self.limits.take(str(bot.id), str(chat["id"]), kind)
        if wait > 0:
            seconds = math.ceil(wait)
            raise BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def _keep(self, content: bytes) -> str:
        file_id = f"sandbox-file-{len(self.files) + 1}"
        self.files[file_id] = content
        return file_id

    async def _webhook_info(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        url = bot.webhook["url"] if bot.webhook is not None else ""
        return {"url": url, "has_custom_certificate": False, "pending_update_count": len(bot.updates)}

    async def _set_webhook(self, bot: Bot, parameters: dict[str, Any]) -> bool:
        """As on the platform, except that plain http is accepted: calls stay on this machine."""
        await trio.lowlevel.checkpoint()
        url = str(parameters.get("url", ""))
        if not url:
            return await self._delete_webhook(bot, parameters)
        if not url.startswith(("http://", "https://")):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        secret = parameters.get("secret_token", "")
        if secret and not _SECRET.fullmatch(str(secret)):
            raise bad_request("secret token contains unallowed characters")
        bot.allow(parameters)
        bot.webhook = {"url": url} | ({"secret_token": str(secret)} if secret else {})
        bot.news.set()
        bot.news = trio.Event()
        self._webhook_set.set()
        return True

    async def _get_file(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        file_id = str(parameters.get("file_id", ""))
        if file_id not in self.files:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        size = len(self.files[file_id])
        return {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_size": size,
            "file_path": f"files/{file_id}",
        }

    async def _file(self, token: str, path: str) -> Response:
        await trio.lowlevel.checkpoint()
        content = self.files.get(path.removeprefix("files/"))
        if content is None or token not in self.bots or self.bots[token].revoked:
            return Response(b"", 404)
        return Response(content, 200, content_type="application/octet-stream")

    async def _delete_webhook(self, bot: Bot, parameters: dict[str, Any]) -> bool:
        await trio.lowlevel.checkpoint()
        if str(parameters.get("drop_pending_updates", "")).lower() == "true":
            bot.updates.clear()
        bot.webhook = None
        return True

    # -- the customers' side ---------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a bot's id, `from` a user's id or an object.

        `chat` (an object) makes it a group; `media` (`{type, content (base64), ...}`) sends a file in the
        message's field `type`; any other key of a Bot API message is sent as it is, and `migrate_to_chat_id`
        makes the group a supergroup. With `press` (a button's label or data) the customer presses a button
        instead. Returns the platform's ids. Raises `ValueError`.
        """
        bot = self._connected(order.get("to"))
        sender = _user(order.get("from", 1))
        chat = order.get("chat")
        if chat is None:
            chat = {"id": sender["id"], "type": "private", "first_name": sender["first_name"]}
        if not isinstance(chat, dict) or "id" not in chat:
            raise ValueError("chat: must be an object with an id")
        bot.chats[chat["id"]] = chat
        if "press" in order:
            query = press(bot, sender, chat, order)
            update_id = bot.push({"callback_query": query})
            return {"message_id": query["id"], "conversation_id": str(chat["id"]), "update_id": update_id}
        extra = {name: value for name, value in order.items() if name not in ("to", "from", "chat", "media")}
        if "media" in order:
            extra |= self._media(order["media"])
        if isinstance(extra.get("migrate_to_chat_id"), int):
            there = bot.migrated[chat["id"]] = extra["migrate_to_chat_id"]
            bot.chats[there] = {**chat, "id": there, "type": "supergroup"}
        message = {
            "message_id": bot.message_id(chat["id"]),
            "from": sender,
            "chat": chat,
            "date": int(time.time()),
            **extra,
        }
        bot.keep(message)
        kind = "message"
        if isinstance(extra.get("business_connection_id"), str):
            bot.businesses.add(extra["business_connection_id"])
            kind = "business_message"
        update_id = bot.push({kind: message})
        return {
            "message_id": str(message["message_id"]),
            "conversation_id": str(chat["id"]),
            "update_id": update_id,
        }

    def _media(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("type") not in FILES:
            raise ValueError(f"media.type: must be one of {', '.join(FILES)}")
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        more = {name: item for name, item in value.items() if name not in ("type", "content")}
        return {value["type"]: described(value["type"], self._keep(content), len(content), more)}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, update}`: queue an update of any shape as it is. Raises `ValueError`."""
        update = order.get("update")
        if not isinstance(update, dict):
            raise ValueError("update: must be an object")
        bot = self._connected(order.get("to"))
        unknown = [name for name in update if name not in ALLOWED_UPDATES]
        return {"update_id": bot.push(update), "not_standard": unknown}

    def sent(self) -> list[dict[str, Any]]:
        """Messages that bots sent, as Bot API objects, oldest first for each bot."""
        return [{"account": str(bot.id), **message} for bot in self.bots.values() for message in bot.sent]

    def order_fault(self, order: dict[str, Any]) -> None:
        """Add a fault. A `conflict` ends the polls that wait now, else the next one. Raises `ValueError`."""
        polls = [bot.poll for bot in self.bots.values() if bot.poll is not None]
        if order.get("kind") == "conflict" and "seconds" not in order and polls:
            for poll in polls:
                poll.cancel()
            order = {**order, "count": order.get("count", 1) - 1}
        super().order_fault(order)

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        for bot in self.bots.values():
            bot.revoked = False

    def _connected(self, to: Any) -> Bot:
        found = [bot for bot in self.bots.values() if to is None or str(bot.id) == str(to) or bot.token == to]
        if len(found) != 1:
            known = ", ".join(str(bot.id) for bot in self.bots.values()) or "none"
            raise ValueError(f"to: must be the id of one connected bot (connected: {known})")
        return found[0]


_Method = Callable[["TelegramPlatform", Bot, dict[str, Any]], Awaitable[Any]]


def _sender(content: Callable[[Bot, dict[str, Any]], dict[str, Any]]) -> _Method:
    return lambda platform, bot, parameters: platform._send(content, bot, parameters)


def _actor(method: str) -> _Method:
    return lambda platform, bot, parameters: platform._act(method, bot, parameters)


def _file_sender(field: str) -> _Method:
    return lambda platform, bot, parameters: platform._send_file(field, bot, parameters)


_METHODS: dict[str, _Method] = {
    "getme": TelegramPlatform._get_me,
    "getupdates": TelegramPlatform._get_updates,
    "sendmediagroup": TelegramPlatform._send_album,
    "getwebhookinfo": TelegramPlatform._webhook_info,
    "setwebhook": TelegramPlatform._set_webhook,
    "deletewebhook": TelegramPlatform._delete_webhook,
    "getfile": TelegramPlatform._get_file,
    **{method: _sender(content) for method, content in CONTENTS.items()},
    **{method: _actor(method) for method in ACTIONS},
    **{f"send{field.replace('_', '')}": _file_sender(field) for field in FILES},
}


def _refuse(error: BotApiError) -> Response:
    body = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return as_json(body, error.code)


async def _parameters() -> dict[str, Any]:
    """The parameters of a Bot API call, from the query and the body (JSON or a form)."""
    parameters: dict[str, Any] = dict(request.args.items())
    if request.mimetype == "application/json":
        body = await request.get_json(silent=True)
        if not isinstance(body, dict):
            raise bad_request("can't parse JSON object")
        return parameters | body
    return parameters | dict((await request.form).items())


def _user(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and isinstance(value.get("id"), int):
        return {"is_bot": False, "first_name": f"Customer {value['id']}", **value}
    text = str(value)
    if not text.isdigit():
        raise ValueError("from: must be a user's number or an object with an id")
    return {"id": int(text), "is_bot": False, "first_name": f"Customer {text}"}
