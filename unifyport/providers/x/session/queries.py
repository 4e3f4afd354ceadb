"""Names and ids of the persisted queries of X's web application, and the bodies of its mutations.

An id is the hash of a query that X has deployed; X replaces it without notice, so `[providers.x]
web_query_ids` may name others. Defaults of 2026-08-21: https://github.com/mautrix/twitter, `endpoints.go`.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

INITIAL_PAGE: Final = "GetInitialXChatPageQuery"
INBOX_PAGE: Final = "GetInboxPageRequestQuery"
CONVERSATION_DATA: Final = "GetInboxPageConversationDataRequestQuery"
CONVERSATION_PAGE: Final = "GetConversationPageQuery"
USERS: Final = "GetUsersByIdsForXChat"
PUBLIC_KEYS: Final = "GetPublicKeys"
SOCKET_TOKEN: Final = "GenerateXChatTokenMutation"  # noqa: S105 (a name)
SEND: Final = "SendMessageMutation"
DELETE: Final = "DeleteMessageMutation"
MUTE: Final = "MuteConversation"
UNMUTE: Final = "UnmuteConversation"
UPLOAD: Final = "InitializeXChatMediaUpload"
UPLOADED: Final = "FinalizeXChatMediaUpload"

_IDS: Mapping[str, str] = {
    INITIAL_PAGE: "Gl7r1aY59L7jLBjVC98lqg",
    INBOX_PAGE: "wmieJEOHm6twV06EXwRdiA",
    CONVERSATION_DATA: "uQEDp5FgdqNiG2jT5q07Jw",
    CONVERSATION_PAGE: "IVlXls9JTnbgQ1gxsGAfJA",
    USERS: "MnzVKPEXUx3X1VRCyjKlMA",
    PUBLIC_KEYS: "RQAjOoIX9dIsHoVjuVV0Iw",
    SOCKET_TOKEN: "Qh3fZRjPPtPoHYR_2sCZsA",
    SEND: "LkAIEchf8AGj-WgeLoTVcw",
    DELETE: "4gsDQKEmYkOtvsSIpHXdQA",
    MUTE: "Dy7geJg7CL5dqhsl6QBteg",
    UNMUTE: "LnNSeGu4vnbwqXAvh7OlGQ",
    UPLOAD: "g2n9PB_uaRYv_SFvQokEFw",
    UPLOADED: "UK24H5vBa5MJspBmjZyFVQ",
}
_ENTRY = re.compile(r"([A-Za-z0-9_]{1,64})=([A-Za-z0-9_-]{1,64})")
PULL_VERSION: Final = 1761251295
SETTINGS: Final[dict[str, int]] = {
    "inbox_conversation_event_limit": 5,
    "inbox_conversation_limit": 20,
    "conversation_event_limit": 200,
    "user_event_limit": 500,
}


@functools.lru_cache(maxsize=16)
def ids_of(configured: str) -> Mapping[str, str]:
    """All ids, with those of `Name=id,Name=id` in place of the defaults. Anything else has no effect."""
    found = (_ENTRY.fullmatch(entry.strip()) for entry in configured.split(","))
    return {**_IDS, **{entry[1]: entry[2] for entry in found if entry is not None}}


def mutation(name: str, id_: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The body of a mutation, as the client of X for Android sends it."""
    return {
        "operationName": name,
        "variables": variables,
        "extensions": {
            "persistedQuery": {"version": 1, "sha256Hash": id_},
            "clientLibrary": {"name": "apollo-kotlin", "version": "4.3.3"},
        },
    }
