"""The X API v2, played on loopback (https://docs.x.com/x-api): messages, activity stream, webhooks, OAuth
2.0.

There is one app, with any keys. Every decimal id is a user, but those that begin with 404; users whose id
begins with 403 take no messages. A bearer token that begins with `wrong` is refused.
"""

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import trio
from quart import Response, request

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

from ..http import HttpPlatform, as_json, http
from ..limits import SendLimits
from .chat.api import ChatApi, add_routes, realm_answer
from .chat.customers import ChatCustomers
from .chat.state import ChatState
from .customers import Customers
from .delivery import Deliveries
from .files import Files
from .messages import Messages
from .oauth import OAuth
from .state import Directory, Problem, Tokens, invalid, not_found, unauthorized

_WINDOW = 900  # seconds
Handler = Callable[..., Any]


class XPlatform(Customers, HttpPlatform):
    """The API's routes."""

    name = "x"

    def __init__(self) -> None:
        super().__init__()
        # https://docs.x.com/x-api/fundamentals/rate-limits
        self.limits = SendLimits(Pace(account=Limit(15 / _WINDOW, 15)))
        self.directory, self.tokens = Directory(), Tokens()
        self.deliveries = Deliveries(self.open, lambda: self.faults.next("stream", "duplicate") is not None)
        self.files = Files(self.directory)
        self.messages = Messages(self.directory, self.deliveries, self.files)
        self.oauth = OAuth(self.tokens)
        self.chat = ChatState(self.directory.exists)
        self.people = ChatCustomers(self.chat)
        self.chat_api = ChatApi(self.chat)
        self.chat.followers.append(self.report_chat)
        self.protocols = [http(self.app, "api", ("api_url", "authorize_url", "video_url", "photo_url"))]
        self._add_routes()

    def _add_routes(self) -> None:
        files, sent = self.files, self.deliveries
        self._user("/2/users/me", "GET", "users/me", self._me)
        self._user("/2/users/<id>", "GET", "users", self._describe)
        self._user("/2/users/<id>/dm/<change>", "POST", "block", self._block)
        self._user("/2/dm_events", "GET", "dm_events", self.messages.listed)
        self._user("/2/dm_conversations", "POST", "messages", self._create)
        self._user("/2/dm_conversations/with/<to>/messages", "POST", "messages", self._send)
        self._user("/2/dm_conversations/<conversation>/messages", "POST", "messages", self._send)
        self._user("/2/dm_conversations/media/<dm>/<media>/<name>", "GET", "download", files.of_message)
        self._user("/2/media/upload/initialize", "POST", "media", files.initialize)
        self._user("/2/media/upload/<media>/append", "POST", "media", files.append)
        self._user("/2/media/upload/<media>/finalize", "POST", "media", files.finalize)
        self._user("/2/media/upload", "GET", "media", files.status)
        self._user("/2/chat/conversations/<conversation>/typing", "POST", "typing", self._typing)
        add_routes(self.chat_api, self._user)
        self._open("/realm/<id>/req", "POST", "realm", lambda id: realm_answer(self.chat.realms, id))
        self._user("/2/activity/subscriptions", "POST", "subscriptions", self._subscribe)
        self._of_app("/2/activity/subscriptions", "GET", "subscriptions", sent.listed)
        self._of_app("/2/activity/subscriptions/<id>", "DELETE", "subscriptions", sent.unsubscribe)
        self._of_app("/2/activity/subscriptions/<id>", "PUT", "subscriptions", self._update)
        self._of_app("/2/webhooks", "GET", "webhooks", sent.hooks)
        self._of_app("/2/webhooks", "POST", "webhooks", self._register)
        self._of_app("/2/webhooks/<id>", "PUT", "webhooks", sent.validate)
        self._of_app("/2/webhooks/<id>", "DELETE", "webhooks", sent.remove)
        self._of_app("/2/activity/stream", "GET", "stream", self._stream)
        self._open("/2/oauth2/token", "POST", "token", self.oauth.token)
        self._open("/2/oauth2/revoke", "POST", "revoke", self.oauth.revoke)
        self._open("/i/oauth2/authorize", "GET", "authorize", self.oauth.authorize)
        self._open("/media/<media>/<name>", "GET", "file", files.public)

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        found = super().endpoints(addresses)
        self.messages.base_url = self.chat.realms.url = found["api_url"]
        return {**found, "authorize_url": f"{found['api_url']}/i/oauth2/authorize"}

    async def run(self) -> None:
        await self.deliveries.callbacks.run()

    # -- who calls -------------------------------------------------------------------------------------------

    def _user(self, rule: str, method: str, name: str, handler: Handler) -> None:
        """A call with a user's access token; the handler gets the user's id first."""

        async def view(**parts: str) -> Response:
            token = _bearer()
            known = self.tokens.access.get(token)
            user = self.tokens.user_of(token)
            account = "" if known is None else known.user

            async def handle() -> Response:
                if self.faults.next(name, "logout") is not None and account:
                    self.tokens.revoke(account)
                if user is None or user in self.tokens.revoked:
                    return unauthorized().response()
                return await self._finish(lambda: handler(user, **parts), method)

            return await self.answer(account, name, handle)

        self._route(rule, method, view)

    def _of_app(self, rule: str, method: str, name: str, handler: Handler) -> None:
        """A call with the app's bearer token."""

        async def view(**parts: str) -> Response:
            async def handle() -> Response:
                if (token := _bearer()).startswith("wrong") or not token or token in self.tokens.access:
                    return unauthorized().response()
                return await self._finish(lambda: handler(**parts), method)

            return await self.answer("app", name, handle)

        self._route(rule, method, view)

    def _open(self, rule: str, method: str, name: str, handler: Handler) -> None:
        """A call without a bearer token."""

        async def view(**parts: str) -> Response:
            return await self.answer("", name, lambda: self._finish(lambda: handler(**parts), method))

        self._route(rule, method, view)

    def _route(self, rule: str, method: str, view: Handler) -> None:
        self.app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])

    async def _finish(self, handler: Callable[[], Any], method: str) -> Response:
        await trio.lowlevel.checkpoint()
        try:
            result = handler()
            found = await result if inspect.isawaitable(result) else result
        except Problem as problem:
            return problem.response(dict(problem.headers))
        if isinstance(found, Response):
            return found
        posted = method == "POST" and request.path.startswith("/2/dm_conversations")
        posted |= request.path.startswith("/2/chat/") and request.path.endswith(("/messages", "/group"))
        answer = as_json(found, 201 if posted else 200)
        answer.headers.update({"x-rate-limit-limit": "15", "x-rate-limit-remaining": "15"})
        return answer

    def rate_limited(self, seconds: int) -> Response:
        return _too_many(seconds).response(_window(seconds))

    def failed(self) -> Response:
        return Problem(500, "Internal Server Error", "Something is broken.").response()

    # -- calls of users --------------------------------------------------------------------------------------

    def _me(self, user: str) -> Any:
        return {"data": self.directory.profile(user)}

    def _describe(self, user: str, id: str) -> Any:
        if not self.directory.exists(id):
            raise not_found(f"user with id: [{id}]")
        return {"data": self.directory.profile(id)}

    def _block(self, user: str, id: str, change: str) -> Any:
        if change == "block":
            self.directory.blocked.add((user, id))
        else:
            self.directory.blocked.discard((user, id))
        return {"data": {"blocked": change == "block"}}

    async def _send(self, user: str, to: str | None = None, conversation: str | None = None) -> Any:
        body = await request.get_json(silent=True)
        place = self.messages.place(user, to, conversation)
        self.messages.check(user, body)
        self._enforce_limits(user, place)
        answer = self.messages.post(user, place, body)
        await trio.sleep(self.messages.answer_after)
        return answer

    async def _create(self, user: str) -> Any:
        body = await request.get_json(silent=True)
        members = body.get("participant_ids") if isinstance(body, dict) else None
        if not isinstance(members, list) or len(members) < 2 or body.get("conversation_type") != "Group":
            raise invalid("conversation_type must be Group, with 2 participants at least")
        self.messages.check(user, body.get("message"))
        group = self.directory.group({user, *members})
        return self.messages.post(user, self.messages.place(user, None, group), body["message"])

    def _typing(self, user: str, conversation: str) -> Any:
        self.typing.append((user, conversation))
        return {"data": {"success": True}}

    async def _subscribe(self, user: str) -> Any:
        body = await request.get_json(silent=True)
        return self.deliveries.subscribe(
            self.directory.new_id(), body if isinstance(body, dict) else {}, user
        )

    def _enforce_limits(self, user: str, conversation: str) -> None:
        """Raises `Problem` (429) for a message above the limits, while they are enforced."""
        if self.faults.next("messages", "limits") is None:
            return
        wait, _ = self.limits.take(user, conversation, "user")
        if wait > 0:
            raise _too_many(math.ceil(wait))

    # -- calls of the app ------------------------------------------------------------------------------------

    async def _update(self, id: str) -> Any:
        body = await request.get_json(silent=True)
        return self.deliveries.update(id, body if isinstance(body, dict) else {})

    async def _register(self) -> Any:
        body = await request.get_json(silent=True)
        url = body.get("url", "") if isinstance(body, dict) else ""
        return await self.deliveries.register(self.directory.new_id(), str(url))

    def _stream(self) -> Response:
        minutes = request.args.get("backfill_minutes", "0")
        if not minutes.isdigit() or int(minutes) > 5:
            raise invalid("backfill_minutes must be between 0 and 5")
        stream = self.deliveries.open_stream(int(minutes))
        answer = Response(self.deliveries.pieces(stream), 200, content_type="application/json")
        answer.timeout = None
        return answer


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _window(seconds: int) -> dict[str, str]:
    reset = str(math.ceil(time.time()) + seconds)
    return {"x-rate-limit-limit": "15", "x-rate-limit-remaining": "0", "x-rate-limit-reset": reset}


def _too_many(seconds: int) -> Problem:
    problem = Problem(429, "Too Many Requests", "Too Many Requests", "rate-limit-exceeded")
    problem.headers = _window(seconds)
    return problem
