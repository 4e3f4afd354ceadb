"""A message goes out: by the reply token of the conversation first, else as a push.

A reply token serves once, and the messages that it answers with are free, but there is no retry key for it: a
reply without an answer is `unknown`. Only a refusal of the token itself leads to a push; any other refusal is
the message's, or the channel's, and a push would meet it too
(https://developers.line.biz/en/reference/messaging-api/#send-reply-message).
"""

from typing import Any

import msgspec

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent
from unifyport.providers.contract.errors import ChannelError, Rejected
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
        gone = await self._tokens.seems_gone(to)
        if gone and to.startswith(USER):
            await self._check_not_blocked(to)
        messages = rendered.messages if quoted is None else rendered.quoting(await self._quote_token(quoted))
        if rendered.menu is not None:
            await self._show_menu(to, rendered.menu)
        key, body = retry_key(message), {"to": to, "messages": messages, **rendered.options}
        token = "" if _OF_PUSHES in rendered.options else await self._tokens.reply_token(to)
        sent = None if not token else await self._reply(message, key, token, body)
        if sent is None:
            sent = await self._push(message, key, body, marked=bool(token), gone=gone)
        ids = [each.id for each in sent]
        return Sent(ids[0], ",".join(ids) if len(ids) > 1 else "")

    async def _reply(
        self, message: OutboundMessage, key: str, token: str, body: dict[str, Any]
    ) -> list[SentMessage] | None:
        """None: LINE does not take the token, so nothing was sent."""
        await self._session.sending(message, client_ref=key)
        self._tokens.use(token)
        fields = {name: value for name, value in body.items() if name != "to"}
        failure: ChannelError | None
        url = f"{self._api.url}/v2/bot/message/reply"
        try:
            answer = await self._api.http.request("POST", url, json={"replyToken": token, **fields})
            failure = refusal(answer)
        except ChannelError as lost:
            failure = lost
        if failure is None:
            sent = read_accepted(answer.body)
            self._pushes.keep_soon(self._pushes.quotable(sent))
            return sent
        if isinstance(failure, Rejected) and failure.reason == INVALID_REPLY_TOKEN:
            return None
        if not (failure.maybe_applied or isinstance(failure, Rejected)):
            self._tokens.give_back(token)
        raise failure

    async def _push(
        self, message: OutboundMessage, key: str, body: dict[str, Any], *, marked: bool, gone: bool
    ) -> list[SentMessage]:
        """`gone`: the account seems to be out of the group, which LINE does not say."""
        try:
            return await self._pushes.push(message, key, msgspec.json.encode(body), marked=marked)
        except Rejected as refused:
            if gone and refused.reason == CONVERSATION_NOT_FOUND:
                raise Rejected("not_a_member", refused.detail, code=refused.code) from None
            raise

    async def _check_not_blocked(self, user_id: str) -> None:
        """A push to a user who has blocked the account is accepted and dropped; their profile tells.

        https://developers.line.biz/en/reference/messaging-api/#get-profile
        """
        try:
            await self._api.look_up(f"/v2/bot/profile/{user_id}", dict[str, Any])
        except Rejected as refused:
            if refused.code == "404":
                text = "the customer has blocked this account"
                raise Rejected("blocked_by_recipient", text, code=refused.code) from None

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
