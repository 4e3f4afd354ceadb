"""Listeners: each path of the gateway belongs to an audience, and each listener admits some audiences."""

import enum

import attrs

INGRESS_PREFIX = "/ingress/"


class Audience(enum.Enum):
    """The callers of a path. `/healthz` and `/readyz` are for all of them."""

    CUSTOMERS = "customers"  # the API
    PLATFORMS = "platforms"  # ingress
    RECEIVERS = "receivers"  # files, QR codes and pages of logins, by links
    OPERATORS = "operators"  # metrics, and the API to read
    ALL = "all"


@attrs.frozen
class Door:
    """A listener: the audiences that it admits. `owner`: the control socket, which needs no API key."""

    audiences: frozenset[Audience]
    owner: bool = False

    def admits(self, path: str) -> bool:
        """Whether this listener knows a path at all. The path is decoded."""
        audience = audience_of(path)
        return audience is Audience.ALL or audience in self.audiences


def audience_of(path: str) -> Audience:
    """The audience of a path that `decode_path` has made."""
    path = path.rstrip("/") or "/"  # as the routes see it
    if f"{path}/".startswith(INGRESS_PREFIX):
        return Audience.PLATFORMS
    if f"{path}/".startswith(("/media/", "/qr/", "/login/", "/oauth/")):
        return Audience.RECEIVERS
    if path in ("/metrics", "/docs"):
        return Audience.OPERATORS
    return Audience.ALL if path in ("/healthz", "/readyz") else Audience.CUSTOMERS
