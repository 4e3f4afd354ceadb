"""Files that phones send: sealed, stored, and described for their message."""

import base64
import os
from typing import Any

from unifyport.protocols.letter_sealing.content import file_content
from unifyport.protocols.letter_sealing.files import KEY_MATERIAL_BYTES, seal_file

from .objects import ObjectStore

_MEDIA = {"image": ("emi", 1), "video": ("emv", 2), "audio": ("ema", 3), "file": ("emf", 14)}


def sealed_file(objects: ObjectStore, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file that a phone sends: the content that is sealed, and the metadata with `content_type`. Raises
    `ValueError`.
    """
    if not isinstance(value, dict) or value.get("type") not in _MEDIA:
        raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
    space, content_type = _MEDIA[value["type"]]
    try:
        content = base64.b64decode(value["content"], validate=True)
    except (KeyError, ValueError, TypeError):
        raise ValueError("media.content: must be base64") from None
    material = os.urandom(KEY_MATERIAL_BYTES)
    sealed = seal_file(content, material)
    oid = objects.put(space, "reqid-phone", sealed)
    name = str(value.get("filename", "a.bin"))
    metadata = {"SID": space, "OID": oid, "FILE_SIZE": str(len(sealed))}
    return file_content(material, name), {"content_type": content_type, **metadata}
