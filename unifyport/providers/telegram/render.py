"""Our message -> Bot API request. Pure; https://core.telegram.org/bots/api#sendmessage."""

from typing import Any

from unifyport.model.message import OutboundText

from ..base import Rejected

MAX_TEXT = 4096  # characters after entities parsing
_PARSE_MODES = {"markdown": "Markdown", "markdownv2": "MarkdownV2", "html": "HTML"}


def render_text(message: OutboundText) -> dict[str, Any]:
    """The body of `sendMessage`. Raises `Rejected` for what the platform could only refuse."""
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if message.parse_mode is None and len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"Telegram takes at most {MAX_TEXT} characters")
    body: dict[str, Any] = {"chat_id": chat_id(message.conversation_id), "text": message.text}
    if message.parse_mode is not None:
        mode = _PARSE_MODES.get(message.parse_mode.lower())
        if mode is None:
            raise Rejected("unknown_parse_mode", "parse_mode is Markdown, MarkdownV2 or HTML")
        body["parse_mode"] = mode
    return body


def chat_id(conversation_id: str) -> int | str:
    """A chat's number, or the `@name` of a public one."""
    digits = conversation_id.removeprefix("-")
    return int(conversation_id) if digits.isascii() and digits.isdigit() else conversation_id
