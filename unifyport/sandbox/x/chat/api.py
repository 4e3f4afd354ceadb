"""XChat's calls of the X API v2 on the played state (https://docs.x.com/x-api/chat/get-chat-conversations).

Bodies are refused as the OpenAPI description of X demands. An answer lists events newest first.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from quart import Response, request

from unifyport.providers.x.xchat.ids import in_path
from unifyport.providers.x.xchat.made import ActionSignature, WrappedKey

from ..state import Problem, invalid, not_found
from .realm import Realms
from .shapes import ChatEvent, ChatRefusal, RegisteredKey
from .state import ChatState

_PLACE = re.compile(r"[0-9]{1,19}|[0-9]{1,19}-[0-9]{1,19}|g[0-9]{1,19}")
_DIGITS = re.compile(r"[0-9]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]+")


class ChatApi:
    """The handlers; each gets the id of the user whose token was given. `page`: the largest page."""

    def __init__(self, state: ChatState) -> None:
        self.state = state
        self.page = 100
        self.sent: list[dict[str, Any]] = []
        self._uploads: dict[str, tuple[str, bytearray]] = {}

    # -- keys ------------------------------------------------------------------------------------------------

    def public_keys(self, user: str, id: str) -> Any:
        fields = request.args.get("public_key.fields", "").split(",")
        rows = [self._row(key, fields, own=user == id) for key in self.state.keys_of(id)]
        return {"data": rows} if rows else {}

    def _row(self, key: RegisteredKey, fields: Sequence[str], *, own: bool) -> dict[str, Any]:
        row = {
            "public_key_version": str(key.version),
            "public_key": key.identity,
            "signing_public_key": key.signing,
            "identity_public_key_signature": key.binding,
            "juicebox_config": self.state.realm_of(key) if own else None,
        }
        return {name: value for name, value in row.items() if name in fields and value is not None}

    async def add_keys(self, user: str, conversation: str) -> Any:
        body = await _body({"conversation_key_version", "conversation_participant_keys", "action_signatures"})
        event = self._do(
            lambda: self.state.add_keys(
                user,
                _place(conversation),
                _number(body["conversation_key_version"]),
                wrapped=_wrapped(body),
                signed=_signatures(body),
            )
        )
        return {"data": {"conversation_id": in_path(event.conversation), "sequence_id": str(event.sequence)}}

    # -- conversations ---------------------------------------------------------------------------------------

    def conversations(self, user: str) -> Any:
        found = self.state.conversations_of(user)
        start, size = self._window()
        shown = [
            {
                "id": in_path(each.id),
                "type": "group" if each.id.startswith("g") else "direct",
                "updated_at": datetime.fromtimestamp(each.updated_at / 1000, UTC).isoformat(),
            }
            for each in found[start : start + size]
        ]
        return {"data": shown, "meta": _meta(start, size, len(found))}

    def events(self, user: str, conversation: str) -> Any:
        place = self._do(lambda: self.state.conversation(user, _place(conversation)))
        found = place.events[::-1]
        start, size = self._window()
        page = found[start : start + size]
        versions = {event.key_version for event in page if event.key_version is not None}
        keys = [event.encoded for version, event in place.keys.items() if version in versions]
        shown = [{"id": str(event.sequence), "encoded_event": event.encoded} for event in page]
        return {"data": shown, "meta": _meta(start, size, len(found)) | {"conversation_key_events": keys}}

    def conversation(self, user: str, conversation: str) -> Any:
        place = self._do(lambda: self.state.conversation(user, _place(conversation)))
        members = sorted(place.members, key=int)
        return {"data": {"id": in_path(place.id), "member_ids": members, "participant_ids": members}}

    def _window(self) -> tuple[int, int]:
        size = min(_number(request.args.get("max_results", "10")), 100, self.page)
        token = request.args.get("pagination_token", "at-0")
        if not token.startswith("at-") or not token[3:].isdigit():
            raise invalid("pagination_token: unknown")
        return int(token[3:]), size

    # -- commands --------------------------------------------------------------------------------------------

    async def send(self, user: str, conversation: str) -> Any:
        wanted = {"message_id", "encoded_message_create_event"}
        more = {"encoded_message_event_signature", "conversation_token"}
        body = await _body(wanted, more)
        event = self._do(
            lambda: self.state.post(
                user,
                _place(conversation),
                message_id=str(body["message_id"]),
                content=str(body["encoded_message_create_event"]),
                signature=str(body.get("encoded_message_event_signature", "")),
            )
        )
        self.sent.append({"user": user, "conversation": conversation, **body})
        return {"data": {"encoded_message_event": event.encoded}}

    async def delete(self, user: str, conversation: str) -> Any:
        body = await _body(
            {"sequence_ids", "delete_message_action", "action_signatures"}, {"media_hash_keys"}
        )
        sequences = [_number(each) for each in body["sequence_ids"]]
        self._do(
            lambda: self.state.delete(
                user,
                _place(conversation),
                sequences,
                for_all=body["delete_message_action"] == "delete_for_all",
                signed=_signatures(body)[0],
            )
        )
        return {"data": {"deleted": True}}

    async def read(self, user: str, conversation: str) -> Any:
        body = await _body({"seen_until_sequence_id"})
        sequence = _number(body["seen_until_sequence_id"])
        self._do(lambda: self.state.mark_read(user, _place(conversation), sequence))
        return {"data": {"success": True}}

    def new_group(self, user: str) -> Any:
        return {"data": {"conversation_id": self.state.new_group_id()}}

    async def create_group(self, user: str) -> Any:
        keys = {"conversation_key_version", "conversation_participant_keys", "action_signatures"}
        body = await _body(keys | {"conversation_id", "group_members"}, {"group_admins", "group_name"})
        place = self._do(
            lambda: self.state.create_group(
                user,
                str(body["conversation_id"]),
                str(body.get("group_name", "")),
                members={str(each) for each in body["group_members"]},
                version=_number(body["conversation_key_version"]),
                wrapped=_wrapped(body),
                signed=_signatures(body),
            )
        )
        return {"data": {"conversation_id": place.id}}

    # -- files -----------------------------------------------------------------------------------------------

    async def initialize(self, user: str) -> Any:
        body = await _body({"conversation_id", "total_bytes"})
        self._do(lambda: self.state.conversation(user, str(body["conversation_id"])))
        session, hash_ = str(5_000_000 + len(self._uploads)), f"h{len(self._uploads)}x{user}"
        self._uploads[session] = hash_, bytearray()
        return {
            "data": {
                "conversation_id": body["conversation_id"],
                "media_hash_key": hash_,
                "session_id": session,
            }
        }

    async def append(self, user: str, id: str) -> Any:
        form, files = await request.form, await request.files
        hash_, data = self._upload(id)
        piece = files.get("media")
        if piece is None or form.get("media_hash_key") != hash_ or "conversation_id" not in form:
            raise invalid("conversation_id, media, media_hash_key and segment_index are required")
        data += piece.stream.read()
        return {"data": {"expires_at": 1}}

    async def finalize(self, user: str, id: str) -> Any:
        body = await _body({"conversation_id", "media_hash_key", "num_parts"}, {"message_id", "ttl_msec"})
        hash_, data = self._upload(id)
        if body["media_hash_key"] != hash_ or not _DIGITS.fullmatch(str(body["num_parts"])):
            raise invalid("media_hash_key: another upload's")
        self.state.files[hash_] = bytes(data)
        return {"data": {"success": True}}

    def download(self, user: str, conversation: str, hash: str) -> Any:
        self._do(lambda: self.state.conversation(user, _place(conversation)))
        if hash not in self.state.files:
            raise not_found("media")
        return Response(self.state.files[hash], 200, content_type="application/octet-stream")

    def _upload(self, id_: str) -> tuple[str, bytearray]:
        if id_ not in self._uploads:
            raise not_found("upload")
        return self._uploads[id_]

    def _do(self, act: Any) -> Any:
        try:
            return act()
        except ChatRefusal as refusal:
            if refusal.kind in ("not_found", "not_member"):
                raise not_found("conversation") from None
            raise invalid(f"{refusal.kind}: {refusal}") from None


def payload_of(event: ChatEvent, keys: Mapping[int, ChatEvent]) -> dict[str, Any]:
    """The payload of `chat.received` and `chat.sent` (https://docs.x.com/xchat/real-time-events)."""
    payload: dict[str, Any] = {
        "conversation_id": in_path(event.conversation),
        "sender_id": event.sender,
        "encoded_event": event.encoded,
    }
    if event.key_version is not None:
        payload["conversation_key_version"] = str(event.key_version)
        change = keys.get(event.key_version)
        if change is not None and event.kind == "message":
            payload["conversation_key_change_event"] = change.encoded
    return payload


async def realm_answer(realms: Realms, realm: str) -> Response:
    """A request of a realm."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    status, body = realms.answer(realm, token, bytes(await request.get_data(cache=False, as_text=False)))
    return Response(body, status, content_type="application/octet-stream")


async def _body(wanted: set[str], more: set[str] | None = None) -> dict[str, Any]:
    body = await request.get_json(silent=True)
    if not isinstance(body, dict) or wanted - set(body) or set(body) - wanted - (more or set()):
        raise invalid(f"the body must have {', '.join(sorted(wanted))}")
    return body


def _place(text: str) -> str:
    if _PLACE.fullmatch(text) is None:
        raise invalid("id: does not match")
    return text


def _number(text: Any) -> int:
    if not isinstance(text, str) or _DIGITS.fullmatch(text) is None:
        raise invalid("a number, as text, is required")
    return int(text)


def _wrapped(body: Mapping[str, Any]) -> list[WrappedKey]:
    return [
        WrappedKey(each["user_id"], each["encrypted_conversation_key"], each["public_key_version"])
        for each in body["conversation_participant_keys"]
    ]


def _signatures(body: Mapping[str, Any]) -> list[ActionSignature]:
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


def _meta(start: int, size: int, total: int) -> dict[str, Any]:
    more = start + size < total
    found: dict[str, Any] = {"result_count": min(size, max(total - start, 0)), "has_more": more}
    return found | {"next_token": f"at-{start + size}"} if more else found


__all__ = ["ChatApi", "Problem", "payload_of", "realm_answer"]
