"""Where files are stored: the configured host for downloads, and for uploads one that the platform names.

https://github.com/tulir/whatsmeow (`mediaconn.go`)
"""

import attrs
import trio

from unifyport.net.urls import NotAUrl, locate
from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.errors import Transient
from unifyport.providers.http import nothing_applied

from .requests import Requests, children

_SECONDS = 300  # for which an answer is used, if it says nothing
_MOST_SECONDS = 3600


@attrs.frozen
class UploadHost:
    """`auth`: what an upload shows. `until`: trio's clock."""

    url: str
    auth: str = attrs.field(repr=False)
    until: float


class MediaHosts:
    """`url`: the configured host, at which every file can be downloaded."""

    def __init__(self, configured: str, requests: Requests) -> None:
        place = locate(configured)
        self.url = f"{place.scheme}://{place.authority}"
        self._scheme, self._authority = place.scheme, place.authority
        self._requests = requests
        self._found: UploadHost | None = None
        self._asking = trio.Lock()

    def forget(self) -> None:
        """Ask again before the next upload."""
        self._found = None

    async def for_upload(self) -> UploadHost:
        """Raises a failure class."""
        async with self._asking:
            if self._found is None or self._found.until < trio.current_time():
                with nothing_applied():
                    answer = await self._requests.ask("w:m", "set", Node("media_conn"))
                found = answer.child("media_conn")
                named = [each.get("hostname") for each in children(found) if each.tag == "host"]
                name = next((name for name in named if self._is_ours(name)), None)
                if found is None or name is None:
                    raise Transient("no_media_host")
                life = min(found.number("ttl", _SECONDS), _MOST_SECONDS)
                until = trio.current_time() + life
                self._found = UploadHost(f"{self._scheme}://{name}", found.get("auth"), until)
            return self._found

    def _is_ours(self, name: str) -> bool:
        """Whether a host that the platform names is the configured one, or has the same parent domain."""
        try:
            host = locate(f"{self._scheme}://{name}/").host
        except NotAUrl:
            return False
        own = self._authority.partition(":")[0]
        parent = own.partition(".")[2]
        return name == self._authority or (
            "." in parent and not parent[-1].isdigit() and host.endswith("." + parent)
        )
