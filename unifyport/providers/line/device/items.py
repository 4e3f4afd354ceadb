"""Operations and messages as they came, as plain values for `data.provider_data`.

`sealed` is added to a message: false where its sender, this account too, wrote plain text.
"""

import base64
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.provider_data import ProviderData, Redactions, provider_data
from unifyport.protocols.thrift import Raw

from .structures import Operation

REDACTIONS: Redactions = {
    "*": frozenset({"ENC_KM", "keyMaterial", "DOWNLOAD_URL", "PREVIEW_URL", "preview", "e2eeInfo"}),
}
# JSON has no such integers that every reader keeps: they are text.
_LARGEST = 2**53 - 1


def item_of(operation: Operation) -> ProviderData:
    """An operation with its message. Fields that are not declared are under `unknown`, by their id."""
    item = _plain(operation)
    if operation.message is not None and "message" in item:
        item["message"]["sealed"] = bool(operation.message.chunks)
    return provider_data(item, msgspec.json.encode(item), REDACTIONS)


def _plain(value: Any) -> Any:
    if attrs.has(type(value)) and not isinstance(value, Raw):
        fields = attrs.asdict(value, recurse=False).items()
        return {name: _plain(part) for name, part in fields if part is not None and part != {}}
    if isinstance(value, Raw):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return str(value)
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
