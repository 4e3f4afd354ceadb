"""A node: a tag, attributes, and either bytes or child nodes."""

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen

from unifyport.protocols.binary_node.jid import MAX_TEXT, Jid, MalformedJid


class MalformedNode(ValueError):
    """Bytes are not a stanza, a stanza is larger than the limits, or a node lacks what its reader needs."""


def _content(value: "bytes | Iterable[Node] | None") -> "bytes | tuple[Node, ...] | None":
    return value if value is None or isinstance(value, bytes) else tuple(value)


@frozen
class Node:
    """One element. Attribute values are text; a JID among them is its text (`Jid.parse` reads it).

    `content` is bytes, child nodes, or None. Text inside a node is its UTF-8 bytes.
    """

    tag: str
    attrs: Mapping[str, str] = field(factory=dict)
    content: bytes | tuple["Node", ...] | None = field(default=None, converter=_content)

    @property
    def children(self) -> tuple["Node", ...]:
        """The child nodes; empty if there are none or the content is bytes."""
        return self.content if isinstance(self.content, tuple) else ()

    def all(self, tag: str) -> Iterator["Node"]:
        """The children with this tag."""
        return (child for child in self.children if child.tag == tag)

    def child(self, *path: str) -> "Node | None":
        """The first child with this tag; with several tags the first descendant along that path."""
        node: Node | None = self
        for tag in path:
            node = next(node.all(tag), None) if node else None
        return node

    def bytes_of(self, *path: str) -> bytes | None:
        """The bytes of the descendant at `path` (of this node without one); None if it has none."""
        node = self.child(*path)
        return node.content if node and isinstance(node.content, bytes) else None

    def text_of(self, *path: str) -> str | None:
        """As `bytes_of`, as text; what is not UTF-8 is replaced."""
        content = self.bytes_of(*path)
        return None if content is None else content.decode("utf-8", "replace")

    def get(self, name: str, default: str = "") -> str:
        return self.attrs.get(name, default)

    def need(self, name: str) -> str:
        """The attribute. Raises `MalformedNode` without it."""
        try:
            return self.attrs[name]
        except KeyError as error:
            raise MalformedNode(f"<{self.tag}> has no {name}") from error

    def number(self, name: str, default: int = 0) -> int:
        """The attribute as a whole number of at most 18 digits, `default` if it is missing or not one."""
        text = self.attrs.get(name, "")
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else default

    def jid(self, name: str) -> Jid | None:
        """The attribute as an address; None if it is missing. Raises `MalformedNode` for another text."""
        text = self.attrs.get(name)
        if text is None:
            return None
        if len(text.encode()) > MAX_TEXT:
            raise MalformedNode(f"{name} of <{self.tag}> is longer than any JID")
        try:
            return Jid.parse(text)
        except MalformedJid as error:
            raise MalformedNode(f"{name} of <{self.tag}> is not a JID") from error
