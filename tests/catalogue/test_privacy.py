"""docs/privacy.md tells of every event, and of every part of its `data`."""

import re
from pathlib import Path

from unifyport.api.http.openapi_events import event_components
from unifyport.api.schemas.events import EVENTS
from unifyport.model.event import EventType

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text()
# Of the gateway or the account's state, or told once for all events.
NOT_PERSONAL = {
    *("event", "provider_data_redacted", "provider_data_omitted", "truncated", "coalesced", "reason"),
    *("auth_status", "runtime_status", "sequence", "auth_fields", "expires_at", "last_error", "guesses_left"),
    *("region", "delete_media", "muted", "mute_until", "mute_forever", "archived", "pinned", "read"),
    *("display_name", "picture_url", "status_message"),  # mirrored from `data.account`
}
# Account events come from the gateway; history has no item of a platform.
WITHOUT_ITEM = {name for name in EventType if name.startswith("account.")} | {EventType.CONVERSATION_HISTORY}


def test_every_part_of_every_event_is_told_of() -> None:
    rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*)[^|]*\| (.*) \|$", PAGE, re.M)
    told = {name: text for names, text in rows for name in re.findall(r"`([a-z_.]+)`", names)}
    assert set(EventType) <= set(told)
    schemas = event_components()
    missing = [
        f"{name}: {field}"
        for name, (data, _) in EVENTS.items()
        for field in schemas[data.__name__]["properties"]
        if field not in NOT_PERSONAL
        and f"`data.{field}`" not in told[name]
        and not (field == "provider_data" and name in WITHOUT_ITEM)
    ]
    assert missing == []
