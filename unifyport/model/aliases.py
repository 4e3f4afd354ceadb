"""Two ids of one conversation are joined when the platform says so.

A platform may know a customer by a phone number and by an id of the business, or give a group a new number.
Events show one id, the *canonical* one: the first that they used, as long as the platform accepts it. Every
other id is an alias of it. When the canonical id has to change, `conversation.updated` says so before the
first event under the new id, and the lane of the conversation remains.

An `Alias` is a row for one id; a canonical id has one, too. Rows lead to the canonical id in one hop.
Pure: `join` and `move` take the rows that are known and return those that change.
"""

from collections.abc import Mapping

import attrs

from .inbound import Conversation, ConversationMoved, Identity, MoveReason


@attrs.frozen
class Alias:
    """`lane`: the id whose hash is the lane. `type`: of the identity that the id is, as far as it is known.

    `identity`: that of the canonical id, as events show it. `previous`: the platform gave the conversation
    another number; the old one may later be a stranger's. `used_at`: when the conversation had an event, to
    within `USED_EVERY`.
    """

    id: str
    canonical: str
    lane: str
    identity: Identity | None = None
    learnt_at: int = 0  # unix ms
    type: str = ""
    previous: bool = False
    used_at: int = 0  # unix ms

    def led_to(self, target: "Alias") -> "Alias":
        """The row of the same id after its conversation became that of `target`."""
        return attrs.evolve(
            self,
            canonical=target.canonical,
            lane=target.lane,
            identity=target.identity,
            used_at=max(self.used_at, target.used_at),
        )


USED_EVERY = 7 * 86_400_000  # ms


@attrs.define
class AliasChanges:
    """`put`: rows to write. `moved`: (canonical id, row of the new one): all rows of the first lead there.

    `only`: (canonical id, user id): every other user id of this conversation is no longer one. `used`:
    (canonical id, time): this conversation had an event.
    """

    put: list[Alias] = attrs.field(factory=list)
    moved: list[tuple[str, Alias]] = attrs.field(factory=list)
    only: tuple[str, str] | None = None
    used: tuple[str, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.put or self.moved or self.used)


Known = Mapping[str, Alias | None]


def ids_of(event: Conversation | ConversationMoved) -> list[str]:
    """Every id whose row is needed for `join` or `move`."""
    if isinstance(event, ConversationMoved):
        return [event.previous_id, *event.previous_aliases, *ids_of(event.conversation)]
    return [event.id, *(event.aliases or ())]


def join(conversation: Conversation, known: Known, at: int, *, inbound: bool) -> AliasChanges:
    """Give a conversation its canonical id, lane and known identities. `inbound`: its customer wrote.

    If it turns out to be two conversations so far, `moved` has the id of the later one.
    """
    changes = AliasChanges()
    rows = {id_: known.get(id_) for id_ in ids_of(conversation)}
    if inbound and not _vouched(conversation.id, rows):
        rows[conversation.id] = None  # the number is a stranger's now
    found = [row for row in rows.values() if row is not None]
    if not found and conversation.aliases is None:
        return changes
    first = min(found, key=lambda row: row.learnt_at) if found else _first(conversation, at)
    if conversation.aliases is not None:
        for id_, row in rows.items():
            if row is None:
                row = attrs.evolve(first, id=id_, learnt_at=at, previous=False, used_at=at)
                changes.put.append(_typed(row, conversation))
            elif row.canonical != first.canonical:
                changes.moved.append((row.canonical, first))
        user_ids = [i.id for i in conversation.identities if i.type == "user_id"]
        if changes and user_ids:
            changes.only = (first.canonical, user_ids[0])
    own = [row for row in found if row.canonical == first.canonical]
    if any(row.used_at + USED_EVERY <= at for row in own):
        changes.put += [attrs.evolve(row, used_at=at) for row in own]
        changes.used = (first.canonical, at)
    _show(conversation, first)
    return changes


def _vouched(id_: str, rows: Known) -> bool:
    """Whether an id is not a previous one, or another id of the event leads where it leads."""
    own = rows[id_]
    if own is None or not own.previous:
        return True
    others = (row for other, row in rows.items() if other != id_)
    return any(row is not None and row.canonical == own.canonical for row in others)


def move(event: ConversationMoved, known: Known, at: int) -> AliasChanges:
    """Give a conversation its new id. If our id does not change by it, the new one only joins it."""
    there = event.conversation
    olds = [known.get(id_) for id_ in (event.previous_id, *event.previous_aliases)]
    old = next((row for row in olds if row is not None), None)
    before = event.previous_id if old is None else old.canonical
    if before == there.id:  # known already
        return _joined(event, old or _first(there, at), [])
    if event.reason is MoveReason.USER_ID_CHANGED and old is not None and before != event.previous_id:
        ids = [_typed(attrs.evolve(old, id=id_, learnt_at=at, used_at=at), there) for id_ in ids_of(there)]
        return _joined(event, old, ids)
    target = known.get(there.id)
    lane = target.lane if target is not None else (before if old is None else old.lane)
    row = attrs.evolve(_first(there, at), lane=lane)
    previous = event.reason is MoveReason.NUMBER_CHANGED
    put = {id_: attrs.evolve(row, id=id_, previous=previous) for id_ in (before, event.previous_id)}
    put |= {id_: _typed(attrs.evolve(row, id=id_), there) for id_ in ids_of(there)}
    event.previous_id = before
    _show(there, row)
    return AliasChanges(list(put.values()), [(before, row)])


def _joined(event: ConversationMoved, row: Alias, put: list[Alias]) -> AliasChanges:
    _show(event.conversation, row)
    event.previous_id = event.conversation.id
    return AliasChanges([alias for alias in put if alias.id != row.canonical])


def _first(conversation: Conversation, at: int) -> Alias:
    """The row of a conversation that is named by its own id."""
    identity = _identity(conversation, conversation.id)
    alias = Alias(conversation.id, conversation.id, conversation.id, identity, at, used_at=at)
    return _typed(alias, conversation)


def _typed(row: Alias, conversation: Conversation) -> Alias:
    identity = _identity(conversation, row.id)
    return attrs.evolve(row, type="" if identity is None else identity.type)


def _identity(conversation: Conversation, id_: str) -> Identity | None:
    """The identity that an id of the conversation is; a phone number has a `+` there."""
    return next((i for i in conversation.identities if i.id.removeprefix("+") == id_), None)


def _show(conversation: Conversation, row: Alias) -> None:
    conversation.id, conversation.lane = row.canonical, row.lane
    if row.identity is not None and row.identity not in conversation.identities:
        conversation.identities.append(row.identity)
