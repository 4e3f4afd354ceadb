"""Comparing messages with their templates before they are sent: templates are looked up, and remembered."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from unifyport.providers.contract.errors import RateLimited, Rejected, Transient

from .templates import Page, Template, check_fits

_GOOD_SECONDS = 300.0
_MOST_REMEMBERED = 256
_PAGE = 200  # templates
_MOST_PAGES = 10  # of templates whose name contains the one that is looked for, in all languages

Query = dict[str, Any]


class TemplateChecks:
    """Of one business account. `ask` reads a page of its list; it raises a failure class."""

    def __init__(self, ask: Callable[[Query], Awaitable[Page]]) -> None:
        self._ask = ask
        self._known: dict[tuple[str, str], tuple[Template, float]] = {}  # with the time they are good for

    async def check(self, message: dict[str, Any]) -> None:
        """Compare a message with its template. Raises `Rejected` if it does not fit, or if there is no such
        template. Where the list cannot be read whole, Meta decides alone.
        """
        key, now = (message["name"], message["language"]["code"]), trio.current_time()
        template, good_until = self._known.get(key, (None, 0.0))
        if template is not None and now < good_until:
            with contextlib.suppress(Rejected):  # the template may have been changed since
                check_fits(template, message)
                return
        try:
            template = await self._find(*key)
        except (Transient, RateLimited, Rejected):
            return
        if template is None:
            raise Rejected("template_not_found", f"there is no template {key[0]} in {key[1]}")
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = template, now + _GOOD_SECONDS
        check_fits(template, message)

    async def _find(self, name: str, language: str) -> Template | None:
        """Look a template up by its name; None if there is none. Meta's filter takes a part of a name, too.

        Raises a failure class, `Transient` also if the list is too long or cannot be read whole.
        """
        query: Query = {"name": name, "limit": _PAGE}
        whole = True
        for _ in range(_MOST_PAGES):
            page = await self._ask(query)
            if (template := page.find(name, language)) is not None:
                return template
            whole &= page.whole
            if page.after is None and whole:
                return None
            if page.after in (None, query.get("after")):
                break
            query = {**query, "after": page.after}
        raise Transient("templates_not_read")
