"""What a sealed message contains: a JSON object.

    text        {"text": "…"}, with members for emoji and mentions (`REPLACE`, `MENTION`: JSON or objects)
    location    {"location": {"title", "address", "latitude", "longitude"}}
    file        {"keyMaterial": base64, "fileName": "…"}

Unknown members are kept: a reader decides what they mean.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from unifyport.protocols.letter_sealing.errors import Malformed
from unifyport.protocols.letter_sealing.files import KEY_MATERIAL_BYTES

Content = Mapping[str, Any]


def parse_content(plain: bytes) -> dict[str, Any]:
    """The object. Raises `Malformed`."""
    try:
        return msgspec.json.decode(plain, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("what is sealed is no JSON object") from error


def render_content(content: Content) -> bytes:
    """The bytes that are sealed."""
    return msgspec.json.encode(content)


def key_material_of(content: Content) -> bytes:
    """The key material of a file. Raises `Malformed`."""
    value = content.get("keyMaterial")
    try:
        material = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        material = b""
    if len(material) != KEY_MATERIAL_BYTES:
        raise Malformed("no key material")
    return material


def file_content(key_material: bytes, file_name: str) -> dict[str, str]:
    """The content of a message that carries a sealed file."""
    return {"keyMaterial": base64.b64encode(key_material).decode(), "fileName": file_name}
