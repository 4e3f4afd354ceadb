"""A message goes out: by the reply token of the conversation first, else as a push.

A reply token serves once, and the messages that it answers with are free, but there is no retry key for it: a
reply without an answer is `unknown`. Only a refusal of the token itself leads to a push; any other refusal is
the message's, or the channel's, and a push would meet it too
(https://developers.line.biz/en/reference/messaging-api/#send-reply-message).
"""

from typing import Any

import msgspec

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import Sent
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.session import Session

from .api import LineApi
from .errors import INVALID_REPLY_TOKEN, refusal
from .people import USER
from .pushes import Pushes, SentMessage, read_accepted, retry_key
from .render import Rendered, render
from .tokens import Tokens

_OF_PUSHES = "customAggregationUnits"


class Sends:
    """The messages of one connection."""

    def __init__(self, api: LineApi, session: Session, tokens: Tokens, pushes: Pushes) -> None:
        self._api = api
        self._session = session
        self._tokens = tokens
        self._pushes = pushes

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Raises failure classes. Until the command is marked as being sent, no message has gone out."""
        rendered: Rendered = message.rendered_by(render)
        to = message.conversation_id
        if to.startswith(USER) and await self._tokens.has_blocked(to):
            raise Rejected(
                "blocked_by_recipient", "the customer has blocked this account"
            )  # LINE says nothing
        messages = rendered.messages if quoted is None else rendered.quoting(await self._quote_token(quoted))
        if rendered.menu is not None:
            await self._show_menu(to, rendered.menu)
        key, body = retry_key(message), {"to": to, "messages": messages, **rendered.options}
        token = "" if _OF_PUSHES in rendered.options else await self._tokens.reply_token(to)
        sent = None if not token else await self._reply(message, key, token, body)
        if sent is None:
            sent = await self._pushes.push(message, key, msgspec.json.encode(body), marked=bool(token))
        ids = [each.id for each in sent]
        return Sent(ids[0], ",".join(ids) if len(ids) > 1 else "")

    async def _reply(
        self, message: OutboundMessage, key: str, token: str, body: dict[str, Any]
    ) -> list[SentMessage] | None:
        """None: LINE does not take the token, so nothing was sent."""
        await self._session.sending(message, client_ref=key)
        self._tokens.use(token)
        fields = {name: value for name, value in body.items() if name != "to"}
        url = f"{self._api.url}/v2/bot/message/reply"
        answer = await self._api.http.request("POST", url, json={"replyToken": token, **fields})
        failure = refusal(answer)
        if failure is None:
            sent = read_accepted(answer.body)
            self._pushes.keep_soon(self._pushes.quotable(sent))
            return sent
        if isinstance(failure, Rejected) and failure.reason == INVALID_REPLY_TOKEN:
            return None
        raise failure

    async def _quote_token(self, message_id: str) -> str:
        token = (await self._tokens.of_message(message_id)).quote
        if not token:
            text = "LINE quotes messages by tokens, and none is known of this one"
            raise Rejected("quoted_message_unknown", text)
        return token

    async def _show_menu(self, user_id: str, menu: str) -> None:
        """Link a rich menu to the user, or unlink it; doing so twice is the same
        (https://developers.line.biz/en/reference/messaging-api/#link-rich-menu-to-user).
        """
        path = f"/v2/bot/user/{user_id}/richmenu"
        if menu:
            await self._api.post(f"{path}/{menu}")
        else:
            await self._api.post(path, method="DELETE")
