"""XChat's calls of the X API v2 on the played state (https://docs.x.com/x-api/chat/get-chat-conversations).

Bodies are refused as the OpenAPI description of X demands. An answer lists events newest first.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from quart import Response, request

from unifyport.providers.x.xchat.ids import in_path

from ..state import invalid, not_found
from .bodies import number_of, page_meta, place_of, read_body, signatures, wrapped
from .realm import Realms
from .shapes import ChatEvent, ChatRefusal, RegisteredKey
from .state import ChatState


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
        body = await read_body(
            {"conversation_key_version", "conversation_participant_keys", "action_signatures"}
        )
        event = self._do(
            lambda: self.state.add_keys(
                user,
                place_of(conversation),
                number_of(body["conversation_key_version"]),
                wrapped=wrapped(body),
                signed=signatures(body),
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
        return {"data": shown, "meta": page_meta(start, size, len(found))}

    def events(self, user: str, conversation: str) -> Any:
        place = self._do(lambda: self.state.conversation(user, place_of(conversation)))
        found = place.events[::-1]
        start, size = self._window()
        page = found[start : start + size]
        versions = {event.key_version for event in page if event.key_version is not None}
        keys = [event.encoded for version, event in place.keys.items() if version in versions]
        shown = [{"id": str(event.sequence), "encoded_event": event.encoded} for event in page]
        return {"data": shown, "meta": page_meta(start, size, len(found)) | {"conversation_key_events": keys}}

    def conversation(self, user: str, conversation: str) -> Any:
        place = self._do(lambda: self.state.conversation(user, place_of(conversation)))
        members = sorted(place.members, key=int)
        return {"data": {"id": in_path(place.id), "member_ids": members, "participant_ids": members}}

    def _window(self) -> tuple[int, int]:
        size = min(number_of(request.args.get("max_results", "10")), 100, self.page)
        token = request.args.get("pagination_token", "at-0")
        if not token.startswith("at-") or not token[3:].isdigit():
            raise invalid("pagination_token: unknown")
        return int(token[3:]), size

    # -- commands --------------------------------------------------------------------------------------------

    async def send(self, user: str, conversation: str) -> Any:
        wanted = {"message_id", "encoded_message_create_event"}
        more = {"encoded_message_event_signature", "conversation_token"}
        body = await read_body(wanted, more)
        event = self._do(
            lambda: self.state.post(
                user,
                place_of(conversation),
                message_id=str(body["message_id"]),
                content=str(body["encoded_message_create_event"]),
                signature=str(body.get("encoded_message_event_signature", "")),
            )
        )
        self.sent.append({"user": user, "conversation": conversation, **body})
        return {"data": {"encoded_message_event": event.encoded}}

    async def delete(self, user: str, conversation: str) -> Any:
        body = await read_body(
            {"sequence_ids", "delete_message_action", "action_signatures"}, {"media_hash_keys"}
        )
        sequences = [number_of(each) for each in body["sequence_ids"]]
        self._do(
            lambda: self.state.delete(
                user,
                place_of(conversation),
                sequences,
                for_all=body["delete_message_action"] == "delete_for_all",
                signed=signatures(body)[0],
            )
        )
        return {"data": {"deleted": True}}

    async def read(self, user: str, conversation: str) -> Any:
        body = await read_body({"seen_until_sequence_id"})
        sequence = number_of(body["seen_until_sequence_id"])
        self._do(lambda: self.state.mark_read(user, place_of(conversation), sequence))
        return {"data": {"success": True}}

    def new_group(self, user: str) -> Any:
        return {"data": {"conversation_id": self.state.new_group_id()}}

    async def create_group(self, user: str) -> Any:
        keys = {"conversation_key_version", "conversation_participant_keys", "action_signatures"}
        body = await read_body(keys | {"conversation_id", "group_members"}, {"group_admins", "group_name"})
        place = self._do(
            lambda: self.state.create_group(
                user,
                str(body["conversation_id"]),
                str(body.get("group_name", "")),
                members={str(each) for each in body["group_members"]},
                version=number_of(body["conversation_key_version"]),
                wrapped=wrapped(body),
                signed=signatures(body),
            )
        )
        return {"data": {"conversation_id": place.id}}

    # -- files -----------------------------------------------------------------------------------------------

    async def initialize(self, user: str) -> Any:
        body = await read_body({"conversation_id", "total_bytes"})
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
        body = await read_body({"conversation_id", "media_hash_key", "num_parts"}, {"message_id", "ttl_msec"})
        hash_, data = self._upload(id)
        if body["media_hash_key"] != hash_ or not str(body["num_parts"]).isdigit():
            raise invalid("media_hash_key: another upload's")
        self.state.files[hash_] = bytes(data)
        return {"data": {"success": True}}

    def download(self, user: str, conversation: str, hash: str) -> Any:
        self._do(lambda: self.state.conversation(user, place_of(conversation)))
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


def add_routes(api: ChatApi, add: Callable[..., None]) -> None:
    """`add`: takes a rule, a method, a name for faults, and a handler of the user who calls."""
    base = "/2/chat/conversations"
    add("/2/users/<id>/public_keys", "GET", "public_keys", api.public_keys)
    add(base, "GET", "chat_conversations", api.conversations)
    add(f"{base}/group/initialize", "POST", "chat_groups", api.new_group)
    add(f"{base}/group", "POST", "chat_groups", api.create_group)
    add(f"{base}/<conversation>", "GET", "chat_conversation", api.conversation)
    add(f"{base}/<conversation>/events", "GET", "chat_events", api.events)
    add(f"{base}/<conversation>/keys", "POST", "chat_keys", api.add_keys)
    add(f"{base}/<conversation>/messages", "POST", "chat_messages", api.send)
    add(f"{base}/<conversation>/messages/delete", "POST", "chat_delete", api.delete)
    add(f"{base}/<conversation>/read", "POST", "chat_read", api.read)
    add("/2/chat/media/upload/initialize", "POST", "chat_media", api.initialize)
    add("/2/chat/media/upload/<id>/append", "POST", "chat_media", api.append)
    add("/2/chat/media/upload/<id>/finalize", "POST", "chat_media", api.finalize)
    add("/2/chat/media/<conversation>/<hash>", "GET", "chat_file", api.download)


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
    asked = await request.get_data(cache=False)
    assert isinstance(asked, bytes)
    status, body = realms.answer(realm, token, asked)
    return Response(body, status, content_type="application/octet-stream")
