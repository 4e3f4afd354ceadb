"""Downloads of files of customers: nothing of ours is sent, and only hosts of `media_hosts` are asked, as
the URL comes from a webhook and must not lead a gateway to other servers.
"""

from unifyport.model.inbound import MAX_HANDLE
from unifyport.net.urls import NotAUrl, locate
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.http import HttpApi


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
