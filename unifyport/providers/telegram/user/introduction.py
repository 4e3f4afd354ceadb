"""What a connection says of itself before its first call (https://core.telegram.org/api/invoking)."""

from typing import Any, Final

from telethon.tl import TLRequest
from telethon.tl.alltlobjects import LAYER
from telethon.tl.functions import InitConnectionRequest, InvokeWithLayerRequest

from unifyport.providers.contract.base import ConnectorContext
from unifyport.version import VERSION

_MAX_API_ID: Final = 2**31 - 1


def app_of(context: ConnectorContext) -> tuple[int, str]:
    """`api_id` and `api_hash`, as https://my.telegram.org gives them out."""
    return min(int(context.credentials["api_id"]), _MAX_API_ID), context.credentials["api_hash"]


def introduce(context: ConnectorContext, request: TLRequest) -> bytes:
    """`request` with the layer, the app and the device before it."""
    endpoints: Any = context.endpoints
    api_id, _ = app_of(context)
    opened = InitConnectionRequest(
        api_id=api_id,
        device_model=endpoints.user_device_name,
        system_version="1.0",
        app_version=endpoints.user_app_version or VERSION,
        system_lang_code="en",
        lang_pack="",
        lang_code="en",
        query=request,
    )
    return bytes(InvokeWithLayerRequest(LAYER, opened))
