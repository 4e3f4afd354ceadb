"""GraphQL mutations of the web application: messages, deletions, muting, tokens of the chat socket, uploads.

Names and shapes as in https://github.com/mautrix/twitter (`data/payload/json.go`), a client of the web
application. A message that is not taken is answered with an event that says why.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

import attrs

from unifyport.providers.x.xchat.made import ActionSignature

from ..chat.shapes import ChatRefusal
from ..chat.state import ChatState

TOKEN_SECONDS = 300
# https://github.com/mautrix/twitter, `FailureType`
FAILURES = {"too_large": 3, "old_key_version": 6, "no_keys": 9, "not_member": 15}
Mutation = Callable[["Mutations", str, dict[str, Any]], dict[str, Any]]


@attrs.define
class Upload:
    """A file that is being uploaded, in parts by their numbers."""

    user: str
    media_hash: str
    total: int
    parts: dict[int, bytes] = attrs.field(factory=dict)


class Mutations:
    """`refuse`: numbers of failures that the next messages meet. `tokens`: of the chat socket, with their
    user and the time at which they end. `sent`: the messages that clients have sent.
    """

    def __init__(self, chat: ChatState) -> None:
        self._chat = chat
        self.refuse: list[int] = []
        self.tokens: dict[str, tuple[str, float]] = {}
        self.uploads: dict[str, Upload] = {}
        self.sent: list[dict[str, Any]] = []

    def send(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        conversation, message_id = variables["conversation_id"], variables["message_id"]
        if self.refuse:
            encoded = self._chat.fail(user, conversation, message_id, self.refuse.pop(0))
        else:
            encoded = self._post(user, conversation, message_id, variables)
        return {"xchat_send_create_message_event": {"encoded_message_event": encoded}}

    def _post(self, user: str, conversation: str, message_id: str, variables: dict[str, Any]) -> str:
        try:
            event = self._chat.post(
                user,
                conversation,
                message_id=message_id,
                content=variables["encoded_message_create_event"],
                signature=variables["encoded_message_event_signature"],
                token=variables["conversation_token"],
            )
        except ChatRefusal as refusal:
            if refusal.kind not in FAILURES:
                raise
            return self._chat.fail(user, conversation, message_id, FAILURES[refusal.kind])
        self.sent.append({"from": user, "conversation": event.conversation, "message_id": message_id})
        return event.encoded

    def delete(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        sequences = [int(each) for each in variables["sequence_ids"]]
        actions = variables["action_signatures"]
        if not sequences or len(actions) != len(sequences):
            raise ChatRefusal("invalid", "one signature for each message")
        for sequence, action in zip(sequences, actions, strict=True):
            self._chat.delete(
                user,
                variables["conversation_id"],
                [sequence],
                for_all=variables["delete_message_action"] == "DeleteForAll",
                signed=_action_of(action),
            )
        return {"xchat_delete_message": {"success": True}}

    def mute(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        for id_ in variables["conversationIds"]:
            self._chat.conversation(user, id_).muted.add(user)
        return {"xchat_mute_conversation": {"success": True}}

    def unmute(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        for id_ in variables["conversationIds"]:
            self._chat.conversation(user, id_).muted.discard(user)
        return {"xchat_unmute_conversation": {"success": True}}

    def socket_token(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        token = secrets.token_urlsafe(24)
        self.tokens[token] = user, time.monotonic() + TOKEN_SECONDS
        return {"user_get_x_chat_auth_token": {"token": token}}

    def user_of(self, token: str) -> str | None:
        """The user of a token of the chat socket, while it is good."""
        user, ends = self.tokens.get(token, ("", 0.0))
        return user if ends > time.monotonic() else None

    # -- files -----------------------------------------------------------------------------------------------

    def begin_upload(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        place = self._chat.conversation(user, variables["conversation_id"])
        resume, media_hash = secrets.token_hex(8), secrets.token_hex(16)
        self.uploads[resume] = Upload(user, media_hash, int(variables["total_bytes"]))
        return {
            "xchat_initialize_media_upload": {
                "resume_upload_url": f"/xchat_media/{place.id}/{media_hash}?resumeId={resume}",
                "media_hash_key": media_hash,
                "resume_id": resume,
            }
        }

    def end_upload(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        upload = self.uploads.get(variables["resume_id"])
        if upload is None or upload.user != user or upload.media_hash != variables["media_hash_key"]:
            raise ChatRefusal("not_found")
        count = int(variables["num_parts"])
        content = b"".join(upload.parts.get(number, b"") for number in range(count))
        if len(content) != upload.total or len(upload.parts) != count:
            raise ChatRefusal("invalid", "parts are missing")
        self._chat.files[upload.media_hash] = content
        return {"xchat_finalize_media_upload": {"__typename": "XChatFinalizeMediaUploadResult"}}


MUTATIONS: dict[str, Mutation] = {
    "SendMessageMutation": Mutations.send,
    "DeleteMessageMutation": Mutations.delete,
    "MuteConversation": Mutations.mute,
    "UnmuteConversation": Mutations.unmute,
    "GenerateXChatTokenMutation": Mutations.socket_token,
    "InitializeXChatMediaUpload": Mutations.begin_upload,
    "FinalizeXChatMediaUpload": Mutations.end_upload,
}


def _action_of(given: dict[str, Any]) -> ActionSignature:
    signed = given["message_event_signature"]
    return ActionSignature(
        given["message_id"],
        given["encoded_message_event_detail"],
        signed["signature"],
        signed["signature_version"],
        signed["public_key_version"],
    )
