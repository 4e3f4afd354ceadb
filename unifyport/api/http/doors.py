"""Listeners and whom each of them lets in: the paths of the gateway belong to audiences."""

import enum

import attrs

INGRESS_PREFIX = "/ingress/"


class Audience(enum.Enum):
    """Who calls a path. `/healthz` and `/readyz` are everybody's."""

    CUSTOMERS = "customers"  # the API
    PLATFORMS = "platforms"  # ingress
    RECEIVERS = "receivers"  # files and QR codes, by links
    OPERATORS = "operators"  # metrics, and the API to read
    EVERYBODY = "everybody"


@attrs.frozen
class Door:
    """A listener: whom it lets in, and whether those need no API key (the owner's socket)."""

    audiences: frozenset[Audience]
    owner: bool = False

    def admits(self, path: str) -> bool:
        """Whether this listener knows a path at all. The path is decoded."""
        audience = audience_of(path)
        return audience is Audience.EVERYBODY or audience in self.audiences


def audience_of(path: str) -> Audience:
    """Of a path that `decode_path` has made."""
    path = path.rstrip("/") or "/"  # as the routes see it
    if f"{path}/".startswith(INGRESS_PREFIX):
        return Audience.PLATFORMS
    if f"{path}/".startswith(("/media/", "/qr/")):
        return Audience.RECEIVERS
    if path in ("/metrics", "/docs"):
        return Audience.OPERATORS
    return Audience.EVERYBODY if path in ("/healthz", "/readyz") else Audience.CUSTOMERS
