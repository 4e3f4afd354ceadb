"""Bodies and queries of XChat's calls of the API v2, as the OpenAPI description of X demands them."""

import re
from collections.abc import Mapping
from typing import Any

from quart import request

from unifyport.providers.x.xchat.made import ActionSignature, WrappedKey

from ..state import invalid

_PLACE = re.compile(r"[0-9]{1,19}|[0-9]{1,19}-[0-9]{1,19}|g[0-9]{1,19}")
_DIGITS = re.compile(r"[0-9]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]+")


async def read_body(wanted: set[str], more: set[str] | None = None) -> dict[str, Any]:
    body = await request.get_json(silent=True)
    if not isinstance(body, dict) or wanted - set(body) or set(body) - wanted - (more or set()):
        raise invalid(f"the body must have {', '.join(sorted(wanted))}")
    return body


def place_of(text: str) -> str:
    if _PLACE.fullmatch(text) is None:
        raise invalid("id: does not match")
    return text


def number_of(text: Any) -> int:
    if not isinstance(text, str) or _DIGITS.fullmatch(text) is None:
        raise invalid("a number, as text, is required")
    return int(text)


def wrapped(body: Mapping[str, Any]) -> list[WrappedKey]:
    return [
        WrappedKey(each["user_id"], each["encrypted_conversation_key"], each["public_key_version"])
        for each in body["conversation_participant_keys"]
    ]


def signatures(body: Mapping[str, Any]) -> list[ActionSignature]:
    """https://docs.x.com/xchat/troubleshooting: an entry that lacks a part is refused."""
    found = []
    for each in body["action_signatures"]:
        signature = each.get("message_event_signature") or {}
        parts = [signature.get(n, "") for n in ("signature", "signature_version", "public_key_version")]
        detail = each.get("encoded_message_event_detail", "")
        if not all(map(_BASE64.fullmatch, (*parts, detail))) or not each.get("message_id"):
            raise invalid("action_signatures: a part is missing")
        found.append(ActionSignature(each["message_id"], detail, *parts))
    return found


def page_meta(start: int, size: int, total: int) -> dict[str, Any]:
    more = start + size < total
    found: dict[str, Any] = {"result_count": min(size, max(total - start, 0)), "has_more": more}
    return found | {"next_token": f"at-{start + size}"} if more else found
