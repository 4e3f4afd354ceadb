"""Files of customers, and whether an image may be sent.

A file has a URL that lasts 24 hours and wants the token in the header `x-user`
(https://business-api.tiktok.com/portal/docs?id=1832190613667841). TikTok does not say on which hosts such
URLs are: the token goes to the domains of `[providers.tiktok] media_domains` only. Whether images may be sent
depends on the countries of both sides (https://business-api.tiktok.com/portal/docs?id=1832184443660289).
"""

import trio
from msgspec import Struct

from unifyport.net.urls import NotAUrl, locate
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.http import nothing_applied, origin_of

from .api import BusinessApi, json_list
from .directory import LISTS
from .handles import Handle, read_handle

_REMEMBERED_SECONDS = 3600.0
_MOST_REMEMBERED = 4096
_IMAGE_SEND = "IMAGE_SEND"


class _Link(Struct):
    download_url: str = ""


class _Capability(Struct):
    capability_type: str = ""
    capability_result: bool = False


class _Capabilities(Struct):
    capability_infos: list[_Capability] = []


class Media:
    """`domains`: of URLs that may be fetched, with what is below them; the API's own origin always may."""

    def __init__(self, api: BusinessApi, domains: str) -> None:
        self._api = api
        self._domains = tuple(domains.split())
        self._own = origin_of(api.url(""))
        self._images: dict[str, float] = {}  # conversations that take images, and how long that is believed

    async def download(self, business_id: str, handle: bytes, sink: Sink, limit: int) -> None:
        """See `DownloadsMedia.download`."""
        file = read_handle(handle)
        if file.url:
            self._check_host(file.url)
            await self._api.http.download(file.url, sink, limit=limit, authorized=False)
            return
        url = await self._find_url(business_id, file)
        self._check_host(url)
        headers = {"x-user": await self._api.token()}
        await self._api.http.download(url, sink, limit=limit, headers=headers, authorized=False)

    async def _find_url(self, business_id: str, file: Handle) -> str:
        body = {
            "business_id": business_id,
            "conversation_id": file.conversation_id,
            "message_id": file.message_id,
            "media_id": file.media_id,
            "media_type": file.media_type,
        }
        try:
            link = await self._api.call("POST", "business/message/media/download/", _Link, json=body)
        except Rejected:
            raise Rejected("media_not_found") from None
        return str(link.download_url)

    def _check_host(self, url: str) -> None:
        """Raises `Rejected` for a URL outside of the domains, or one that is not https."""
        if origin_of(url) == self._own:
            return
        try:
            location = locate(url)
        except NotAUrl:
            raise Rejected("media_not_found") from None
        host = location.host.lower().rstrip(".")
        below = any(host == domain or host.endswith(f".{domain}") for domain in self._domains)
        if location.scheme != "https" or not below:
            raise Rejected("media_host_not_allowed")

    async def check_image(self, business_id: str, conversation_id: str) -> None:
        """Ask TikTok. Raises `Rejected` if this conversation takes no images."""
        now = trio.current_time()
        if now < self._images.get(conversation_id, 0.0):
            return
        for kind in LISTS:
            if await self._takes_images(business_id, conversation_id, kind):
                if len(self._images) >= _MOST_REMEMBERED:
                    self._images.clear()
                self._images[conversation_id] = now + _REMEMBERED_SECONDS
                return
        raise Rejected("image_not_supported", "TikTok takes no images between the countries of both sides")

    async def _takes_images(self, business_id: str, conversation_id: str, kind: str) -> bool:
        query = {
            "business_id": business_id,
            "conversation_id": conversation_id,
            "conversation_type": kind,
            "capability_types": json_list(_IMAGE_SEND),
        }
        with nothing_applied():
            found: _Capabilities = await self._api.call(
                "GET", "business/message/capabilities/get/", _Capabilities, query=query
            )
        return any(
            each.capability_type == _IMAGE_SEND and each.capability_result for each in found.capability_infos
        )
