"""Which account is a provider identity: by the credentials of the accounts, logged in or not, and of those
whose credentials name none by what the platform reported.
"""

from collections.abc import Iterator

from .account.actor import AccountActor


class Identities:
    """Where several accounts have the same identity, the first one holds it until it leaves."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], AccountActor] = {}  # (channel, identity)
        self._actors: dict[str, AccountActor] = {}  # by account id: all that were added
        self._unnamed: dict[str, AccountActor] = {}  # those of them whose credentials name no identity

    def add(self, actor: AccountActor) -> None:
        self._actors[actor.row.id] = actor
        if actor.identity is not None:
            self._holders.setdefault((actor.row.channel, actor.identity), actor)
        else:
            self._unnamed[actor.row.id] = actor

    def remove(self, actor: AccountActor) -> None:
        """Called before its credentials change, too, with `add` afterwards."""
        self._actors.pop(actor.row.id, None)
        self._unnamed.pop(actor.row.id, None)
        place = (actor.row.channel, actor.identity or "")
        if self._holders.get(place) is actor:
            del self._holders[place]
            for other in self._same(actor):
                self.add(other)

    def holder(self, channel: str, identity: str) -> AccountActor | None:
        found = self._holders.get((channel, identity))
        if found is not None or not identity:
            return found
        for actor in self._unnamed.values():
            if (actor.row.channel, actor.row.provider_account_ref) == (channel, identity):
                return actor
        return None

    def same_as(self, gone: AccountActor) -> list[AccountActor]:
        """The other accounts with the identity of `gone`."""
        return list(self._same(gone))

    def _same(self, actor: AccountActor) -> Iterator[AccountActor]:
        for other in list(self._actors.values()):
            same = (other.row.channel, other.identity) == (actor.row.channel, actor.identity)
            if same and other is not actor:
                yield other
