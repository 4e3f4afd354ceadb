"""GraphQL queries of the web application: inbox, history, people and their keys.

Names and shapes as in https://github.com/mautrix/twitter (`data/response/xchat.go`), a client of the web
application. A history is read from its newest event to its oldest.
"""

from collections.abc import Callable
from typing import Any

from ..chat.shapes import ChatConversation, ChatEvent, RegisteredKey
from ..chat.state import ChatState
from ..state import Directory

INBOX_EVENTS = 5  # of one conversation, in the inbox
INBOX_CONVERSATIONS = 20
PAGE = 200
PULL_VERSION = 1761251295
Query = Callable[["Queries", str, dict[str, Any]], dict[str, Any]]


class Queries:
    """`page`: events of a page of history; a test may want short ones."""

    def __init__(self, chat: ChatState, directory: Directory) -> None:
        self._chat = chat
        self._directory = directory
        self.page = PAGE
        self._cursors: dict[str, tuple[list[str], int]] = {}  # conversations that are left, and the mark

    # -- inbox -----------------------------------------------------------------------------------------------

    def initial_page(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        mark = int(variables.get("max_local_sequence_id") or 0)
        ids = [
            place.id
            for place in self._chat.conversations_of(user)
            if place.trusted and place.events[-1].sequence > mark
        ]
        return {"get_initial_chat_page": self._inbox_page(user, ids, mark)}

    def next_page(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        ids, mark = self._cursors.get(variables["continue_cursor"]["cursor_id"], ([], 0))
        return {"get_inbox_page": self._inbox_page(user, ids, mark)}

    def _inbox_page(self, user: str, ids: list[str], mark: int) -> dict[str, Any]:
        shown, left = ids[:INBOX_CONVERSATIONS], ids[INBOX_CONVERSATIONS:]
        cursor = f"cursor-{user}-{len(self._cursors)}"
        self._cursors[cursor] = (left, mark)
        newest = max((each.events[-1].sequence for each in self._chat.conversations_of(user)), default=0)
        return {
            "inboxCursor": {
                "cursor_id": cursor,
                "graph_snapshot_id": f"snapshot-{newest}",
                "pull_finished": not left,
            },
            "items": [self._item(user, self._chat.conversation(user, id_), mark) for id_ in shown],
            "has_message_requests": any(not each.trusted for each in self._chat.conversations_of(user)),
            "max_user_sequence_id": str(newest),
            "message_pull_version": PULL_VERSION,
        }

    def conversation_data(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        place = self._chat.conversation(user, variables["conversation_id"])
        return {"get_inbox_page_conversation_data": {"data": self._item(user, place, 0)}}

    def _item(self, user: str, place: ChatConversation, mark: int) -> dict[str, Any]:
        newer = [event for event in place.events if event.sequence > mark]
        latest = newer[-INBOX_EVENTS:]
        key = place.keys.get(max(place.keys, default=0))
        reads = {event.sender: event for event in place.events if event.kind == "read"}
        return {
            "latest_message_events": [event.encoded for event in reversed(latest)],
            "latest_conversation_key_change_events": [] if key is None else [key.encoded],
            "latest_read_events_per_participant": [
                {"participant_id": {"rest_id": id_}, "latest_mark_conversation_read_event": event.encoded}
                for id_, event in reads.items()
            ],
            "has_more": len(newer) > len(latest),
            "conversation_detail": self._detail(user, place),
        }

    def _detail(self, user: str, place: ChatConversation) -> dict[str, Any]:
        detail: dict[str, Any] = {
            "conversation_id": place.id,
            "is_muted": user in place.muted,
            "participants_results": [self._user(id_) for id_ in sorted(place.members)],
        }
        if place.id.startswith("g"):
            detail["group_metadata"] = {"group_name": place.title, "updated_at_msec": str(place.updated_at)}
            detail["group_members_results"] = detail["participants_results"]
            detail["group_admins_results"] = [self._user(id_) for id_ in sorted(place.admins)]
        return detail

    # -- history ---------------------------------------------------------------------------------------------

    def conversation_page(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        place = self._chat.conversation(user, variables["conversation_id"])
        before = int(variables.get("min_local_sequence_id") or 2**63 - 1)
        wanted = int((variables.get("query_settings") or {}).get("conversation_event_limit", PAGE))
        older = [event for event in place.events if event.sequence < before]
        shown = older[-max(1, min(wanted, self.page)) :]
        return {
            "get_conversation_page": {
                "encoded_message_events": [event.encoded for event in reversed(shown)],
                "missing_conversation_key_change_events": _missing_keys(place, shown),
                "has_more": len(older) > len(shown),
            }
        }

    # -- people ----------------------------------------------------------------------------------------------

    def users(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        ids = [str(id_) for id_ in variables["ids"]][:100]
        found = [{"id": id_, "member_results": self._user(id_)} for id_ in ids if self._directory.exists(id_)]
        return {"get_member_results": {"results": found}}

    def _user(self, id_: str) -> dict[str, Any]:
        profile = self._directory.profile(id_)
        return {
            "rest_id": id_,
            "result": {
                "__typename": "User",
                "rest_id": id_,
                "core": {"name": profile["name"], "screen_name": profile["username"]},
                "avatar": {"image_url": profile["profile_image_url"]},
                "chat_permissions": {
                    "can_dm": not id_.startswith("403"),
                    "can_dm_on_xchat": bool(self._chat.keys_of(id_)),
                    "has_public_key": bool(self._chat.keys_of(id_)),
                },
            },
        }

    def public_keys(self, user: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The realms' tokens are given to their user alone."""
        found = []
        for id_ in [str(each) for each in variables["ids"]][:100]:
            keys = [self._key(key, own=id_ == user) for key in self._chat.keys_of(id_)]
            found.append(
                {"rest_id": id_, "result": {"get_public_keys": {"public_keys_with_token_map": keys}}}
            )
        return {"user_results_by_rest_ids": found}

    def _key(self, key: RegisteredKey, *, own: bool) -> dict[str, Any]:
        described: dict[str, Any] = {
            "public_key_with_metadata": {
                "public_key": {
                    "public_key": key.identity,
                    "signing_public_key": key.signing,
                    "identity_public_key_signature": key.binding,
                },
                "version": str(key.version),
            }
        }
        realm = self._chat.realm_of(key) if own else None
        if realm is not None:
            described["token_map"] = {"realm_state": "Registered", **realm}
        return described


def _missing_keys(place: ChatConversation, shown: list[ChatEvent]) -> list[str]:
    """The key changes that the events of a page need, and that are not among them."""
    needed = {event.key_version for event in shown if event.kind == "message"}
    among = {event.key_version for event in shown if event.kind == "key_change"}
    versions = sorted(each for each in needed - among if each is not None and each in place.keys)
    return [place.keys[version].encoded for version in versions]


QUERIES: dict[str, Query] = {
    "GetInitialXChatPageQuery": Queries.initial_page,
    "GetInboxPageRequestQuery": Queries.next_page,
    "GetInboxPageConversationDataRequestQuery": Queries.conversation_data,
    "GetConversationPageQuery": Queries.conversation_page,
    "GetUsersByIdsForXChat": Queries.users,
    "GetPublicKeys": Queries.public_keys,
}
