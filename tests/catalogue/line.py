"""LINE's part of the run: the examples of its documentation, through the sandbox."""

import json
import time
from pathlib import Path
from typing import Any

from tests.line_world import world
from tests.providers.documentation import LINE

Body = dict[str, Any]
_AT = 1_780_790_400_000  # of the documented examples, in ms


async def of_line(directory: Path) -> tuple[list[Body], int]:
    """The bodies that a receiver got of every kind of message and every type of event, and when (unix s)."""
    folder = directory / "line"
    folder.mkdir()
    now = int(time.time())
    messages = [*LINE["message"].values(), *LINE["variant"].values()]
    events = [{**LINE["event"]["message"], "message": message} for message in messages]
    events += [event for name, event in LINE["event"].items() if name != "message"]
    async with world(folder) as here:
        for number, event in enumerate(events):
            happened = {
                **event,
                "timestamp": now * 1000,
                "webhookEventId": f"01JX2V0N9F4M2Q7W8Z6K3H{number:04}",
            }
            seen = len(here.inbox.deliveries)
            webhook = {"destination": here.channel.bot, "events": [happened]}
            await here.order("updates", {"webhook": webhook})
            await here.inbox.until(lambda seen=seen: len(here.inbox.deliveries) > seen)  # type: ignore[misc]
        reported = [body for body in here.inbox.deliveries if "provider_data" in body["data"]]
    return [json.loads(json.dumps(body).replace(f"{now}000", str(_AT))) for body in reported], now
