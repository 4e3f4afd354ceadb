"""What the platforms document: kinds of messages, updates and fields, with an example of each."""

import json
from pathlib import Path
from typing import Any


def _read(channel: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name(f"{channel}_documentation.json").read_text())
    return found


CHANNELS = ("telegram", "whatsapp", "line", "tiktok", "zalo", "x")
TELEGRAM, WHATSAPP, LINE, TIKTOK, ZALO, X = map(_read, CHANNELS)
