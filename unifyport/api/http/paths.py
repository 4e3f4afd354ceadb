"""The path and the query of a request, decoded in one way for the doors, the router, handlers and ingress."""

import codecs
from urllib.parse import parse_qsl, quote, unquote, urlsplit

_KEEP_ENCODED = "unifyport.keep_encoded"


def decode_path(target: str) -> str:
    """`target` is the request line up to `?`: a path, or an absolute URL (RFC 9112 section 3.2.2).

    Percent-encoded slashes count as slashes; what is no UTF-8 becomes U+FFFD. Slashes at the start are one
    slash, so that no second spelling of a path passes a check that the first one fails; others are kept.
    """
    if not target.startswith("/"):
        try:
            target = urlsplit(target).path
        except ValueError:
            target = ""
    path = unquote(target) if "%" in target else target
    return f"/{path.lstrip('/')}"


def parse_query(query: bytes) -> dict[str, str]:
    """The last value of each name. Bytes that are no UTF-8 stay percent-encoded."""
    if not query:
        return {}
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors=_KEEP_ENCODED))


def _keep_encoded(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return quote(error.object[error.start : error.end], safe=""), error.end


codecs.register_error(_KEEP_ENCODED, _keep_encoded)
