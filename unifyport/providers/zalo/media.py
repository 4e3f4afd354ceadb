"""Files of customers: URLs on Zalo's servers that open without a credential."""

from unifyport.model.inbound import Attachment

# Suffixes of host names. Zalo publishes no list: these are hosts of its documentation's examples and of URLs
# that programs in the open have met.
MEDIA_HOSTS = "zdn.vn zadn.vn zalo.me zaloapp.com zaloplatforms.com zapps.me dlfl.vn zaloapp.vn"


def file_at(url: str, kind: str, file_id: str, *, title: str = "", size: int | None = None) -> Attachment:
    """A file at a URL, which is its handle and is shown to no one."""
    return Attachment(kind, file_id, title=title, size=size, handle=url.encode())
