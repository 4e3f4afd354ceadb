"""Which row of a table answers a method and a path.

A template is made of segments: text, `{name}` for any segment that is not empty, or `{name:one|other}` for
the segments that it lists. Text is tried before names. A template that fits the path but not the method does
not end the search: another one may fit both. One more slash at the end fits as well; any other
additional slash does not.
"""

from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Match(Generic[T]):
    """`values`: what stands in the path for each name of the template."""

    target: T
    values: dict[str, str]


@attrs.frozen
class Mismatch:
    """`allowed`: the methods that the path has; empty when there is no such path."""

    allowed: frozenset[str] = frozenset()


@attrs.define(eq=False)
class _Node(Generic[T]):
    """What may come after a number of segments, and what ends there: by method, the names and the target."""

    texts: dict[str, "_Node[T]"] = attrs.field(factory=dict)
    names: dict[frozenset[str] | None, "_Node[T]"] = attrs.field(
        factory=dict
    )  # by the segments that they admit; None: any segment
    ends: dict[str, tuple[tuple[str, ...], T]] = attrs.field(factory=dict)


class Router(Generic[T]):
    def __init__(self) -> None:
        self._root = _Node[T]()

    def add(self, method: str, template: str, target: T) -> None:
        """A GET answers HEAD, too. Raises `ValueError` when the template has been given to another one."""
        node, names = self._root, list[str]()
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                name, _, options = segment[1:-1].partition(":")
                names.append(name)
                node = node.names.setdefault(frozenset(options.split("|")) if options else None, _Node())
            else:
                node = node.texts.setdefault(segment, _Node())
        for each in (method, "HEAD") if method == "GET" else (method,):
            if each in node.ends:
                raise ValueError(f"two targets for {each} {template}")
            node.ends[each] = (tuple(names), target)

    def match(self, method: str, path: str) -> Match[T] | Mismatch:
        """`path` is decoded, see `decode_path`. The search is bounded by the number of templates."""
        allowed: set[str] = set()
        found = _find(self._root, method, path.split("/")[1:], allowed)
        if found is None:
            return Mismatch(frozenset(allowed))
        (names, target), values = found
        return Match(target, dict(zip(names, reversed(values), strict=True)))


def _find(
    node: _Node[T], method: str, segments: list[str], allowed: set[str]
) -> tuple[tuple[tuple[str, ...], T], list[str]] | None:
    """The target after the segments, and their values, the last one first. Adds methods that are passed."""
    if not segments or segments == [""]:
        end = node.ends.get(method)
        if end is not None:
            return end, []
        allowed.update(node.ends)
        return None
    segment, rest = segments[0], segments[1:]
    if (following := node.texts.get(segment)) is not None:
        found = _find(following, method, rest, allowed)
        if found is not None:
            return found
    if segment:
        for options, following in node.names.items():
            if options is None or segment in options:
                found = _find(following, method, rest, allowed)
                if found is not None:
                    found[1].append(segment)
                    return found
    return None
