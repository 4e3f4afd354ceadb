"""Files of customers: URLs on Zalo's servers that open without a credential.

Nothing of ours is sent to them, and only hosts of the setting `media_hosts` are asked: the URL comes from a
webhook, so it must not lead a gateway to other servers.
"""

from unifyport.model.inbound import MAX_HANDLE, Attachment
from unifyport.net.urls import NotAUrl, locate
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.http import HttpApi

# Suffixes of host names. Zalo publishes no list: these are hosts of its documentation's examples and of URLs
# that programs in the open have met.
MEDIA_HOSTS = "zdn.vn zadn.vn zalo.me zaloapp.com zaloplatforms.com zapps.me dlfl.vn zaloapp.vn"


def file_at(url: str, kind: str, file_id: str, **more: str | int | None) -> Attachment:
    """A file at a URL, which is its handle and is shown to no one."""
    return Attachment(kind, file_id, handle=url.encode(), **more)  # type: ignore[arg-type]


def is_media_url(url: str, hosts: str) -> bool:
    """Whether a URL is on one of `hosts` (suffixes, separated by spaces), over https, or http on loopback."""
    try:
        location = locate(url)
    except NotAUrl:
        return False
    host = location.host or ""
    if not any(host == known or host.endswith(f".{known}") for known in hosts.split()):
        return False
    return location.scheme == "https" or (location.scheme == "http" and host in ("127.0.0.1", "localhost"))


async def download(http: HttpApi, handle: bytes, sink: Sink, *, hosts: str, limit: int) -> None:
    """See `DownloadsMedia`."""
    url = handle.decode(errors="replace")
    if len(handle) > MAX_HANDLE or not is_media_url(url, hosts):
        raise Rejected("media_host_not_allowed")
    await http.download(url, sink, limit=limit, gone=(400, 403, 404, 410), authorized=False)
