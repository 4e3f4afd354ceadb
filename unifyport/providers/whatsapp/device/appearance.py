"""How the device looks to the platform: the fields `device_…` of `[providers.whatsapp]`."""

from typing import Any

from unifyport.protocols.whatsapp.login_pb2 import DeviceProps
from unifyport.protocols.whatsapp.payload import Appearance
from unifyport.providers.contract.errors import Transient


def appearance_of(endpoints: Any) -> Appearance:
    """Raises `Transient` for a version or a browser that is none."""
    parts = endpoints.device_version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 11 for part in parts):
        raise Transient("invalid_device_version")
    browser = endpoints.device_browser.upper()
    if browser not in DeviceProps.PlatformType.keys():  # noqa: SIM118 (an enumeration of protobuf)
        raise Transient("invalid_device_browser")
    primary, secondary, tertiary = map(int, parts)
    return Appearance((primary, secondary, tertiary), endpoints.device_name, browser)
