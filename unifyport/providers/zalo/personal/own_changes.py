"""What the account did to messages through us, so that its echo is not told as the owner's doing."""

from collections import OrderedDict

from unifyport.model.inbound import PlatformEvent

_MOST = 256


class OwnChanges:
    """Of this connection: an echo that comes after the next login is told."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def deleted(self, conversation_id: str, message_id: str) -> None:
        self._add(conversation_id, message_id)

    def reacted(self, conversation_id: str, message_id: str, emoji: str) -> None:
        self._add(conversation_id, message_id, emoji)

    def _add(self, *change: str) -> None:
        self._known[change] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def has(self, event: PlatformEvent) -> bool:
        """Whether this is the echo of one of them; each is good for one echo."""
        if event.conversation is None:
            return False
        match event.details:
            case {"change": "deleted", "target_message_id": str(target)}:
                change: tuple[str, ...] = (event.conversation.id, target)
            case {"change": "reaction", "target_message_id": str(target), "reaction": str(emoji)}:
                change = (event.conversation.id, target, emoji)
            case _:
                return False
        if change not in self._known:
            return False
        del self._known[change]
        return True
