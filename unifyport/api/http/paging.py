"""How much of a list is asked for: the same for every list."""

from collections.abc import Mapping

from unifyport.gateway.errors import invalid

from .routing import Query

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
CURSOR = Query(
    "cursor", description="`next_cursor` of the page before", more={"pattern": r"^(v1\.[A-Za-z0-9_-]+)?$"}
)


def limit_query(most: int = MAX_LIMIT) -> Query:
    text = f"items of a page, {DEFAULT_LIMIT} unless it says otherwise, {most} at most"
    return Query("limit", "integer", text)


LIMIT = limit_query()


def limit_of(query: Mapping[str, str], most: int = MAX_LIMIT) -> int:
    """Raises `UseCaseError`."""
    text = query.get("limit", "")
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or int(text[:10]) < 1:
        raise invalid("limit", "must be an integer of at least 1")
    return min(int(text[:10]), most)
