"""How this device introduces itself: the header `x-line-application` and what the phone's list of devices
shows.

LINE accepts only certain types of devices in certain versions, and refuses old ones; both are settings. The
defaults are those of https://github.com/evex-dev/linejs (`base/core/utils/devices.ts`, July 2026). Only these
types get tokens of the third version, which can be refreshed without a new login.
"""

from attrs import evolve, frozen

LANGUAGE = "en_US"
LONGEST_NAME = 64


@frozen
class Device:
    """A type of device and its application. `application` is the value of the header."""

    type: str
    version: str
    system: str
    system_version: str

    @property
    def application(self) -> str:
        return "\t".join((self.type, self.version, self.system, self.system_version))

    @property
    def user_agent(self) -> str:
        return f"Line/{self.version}"


DEVICES = {
    device.type: device
    for device in (
        Device("DESKTOPMAC", "26.2.0", "MAC", "13.0.0"),
        Device("DESKTOPWIN", "9.7.0.3556", "WINDOWS", "10.0.0-NT-x64"),
        Device("ANDROIDSECONDARY", "26.6.2", "Android OS", "16"),
    )
}
DEFAULT = "DESKTOPMAC"


def device_of(type_: str = DEFAULT, version: str = "") -> Device:
    """The device of this type, in another version where one is given. Raises `ValueError`."""
    check_type(type_)
    check_version(version)
    known = DEVICES[type_]
    return evolve(known, version=version) if version else known


def check_type(text: str) -> None:
    """Raises `ValueError` for a type that LINE gives no tokens of the third version."""
    if text not in DEVICES:
        raise ValueError(f"must be one of {', '.join(DEVICES)}")


def check_version(text: str) -> None:
    """Raises `ValueError` for what is neither empty nor a version: it goes into a header."""
    numbers = all(part.isascii() and part.isdigit() for part in text.split("."))
    if text and (not numbers or len(text) > 32):
        raise ValueError("must be numbers with points between them, such as 26.2.0, or empty")


def check_name(text: str) -> None:
    """Raises `ValueError` for what no list of devices can show."""
    if not (0 < len(text) <= LONGEST_NAME and text.isprintable()):
        raise ValueError(f"must be a name of at most {LONGEST_NAME} characters")


def headers(device: Device, access_token: str = "") -> dict[str, str]:
    """The headers of every call; `access_token`: also the session of a login, for its long polls."""
    always = {
        "accept": "application/x-thrift",
        "content-type": "application/x-thrift",
        "user-agent": device.user_agent,
        "x-line-application": device.application,
        "x-lal": LANGUAGE,
        "x-lpv": "1",
        "x-lhm": "POST",
    }
    return always | ({"x-line-access": access_token} if access_token else {})
