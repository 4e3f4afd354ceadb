"""Friends, profiles and groups as Zalo lists them, and their form in the contract."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from unifyport.model import directory
from unifyport.model.json_text import without_nulls
from unifyport.model.times import rfc3339
from unifyport.providers.contract.errors import Rejected, Transient

from . import lookups, requests
from .people import is_conversation, is_group
from .sends import Sends
from .shapes import Id

_MANY = 200  # ids in one request
_MOST_FRIENDS = 20_000  # as zca-js asks for
T = TypeVar("T", bound=Struct)


class HasSends(ABC):
    @abstractmethod
    async def _sends(self) -> Sends:
        """The connection, once it can be used. Raises `Transient`."""


class User(Struct):
    """A friend, or a profile."""

    userId: Id = ""
    displayName: str = ""
    zaloName: str = ""
    avatar: str = ""
    isBlocked: int = 0
    isFr: int | None = None

    @property
    def id(self) -> str:
        return str(self.userId)

    @property
    def name(self) -> str:
        return self.displayName or self.zaloName


class Member(Struct):
    displayName: str = ""
    zaloName: str = ""
    avatar: str = ""

    @property
    def name(self) -> str:
        return self.displayName or self.zaloName


class Group(Struct):
    """`memVerList`: `<user id>_<version>` of each member."""

    groupId: Id
    name: str = ""
    desc: str = ""
    creatorId: Id = ""
    fullAvt: str = ""
    avt: str = ""
    adminIds: list[Id] = []
    memVerList: list[str] = []
    totalMember: int | None = None
    createdTime: int = 0
    setting: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return f"g{self.groupId}"

    @property
    def member_ids(self) -> list[str]:
        return [each.partition("_")[0] for each in self.memVerList]

    @property
    def created_at(self) -> str | None:
        return rfc3339(self.createdTime) if self.createdTime > 10**12 else None

    def role_of(self, user_id: str) -> str:
        if user_id == str(self.creatorId):
            return "owner"
        return "admin" if user_id in [str(id_) for id_ in self.adminIds] else "member"


# -- what Zalo says ------------------------------------------------------------------------------------------


async def friends(sends: Sends) -> dict[str, User]:
    data = await sends.look_up(requests.friends_call(sends.session, 1, _MOST_FRIENDS))
    found = _readable(data if isinstance(data, list) else [], User)
    return {user.id: user for user in found if user.id}


async def user(sends: Sends, user_id: str, missing: str) -> User:
    """Raises `Rejected(missing)`."""
    data = await sends.look_up(lookups.profiles_call(sends.session, [user_id]))
    profiles = _object(data, "changed_profiles")
    # a profile is known by the id, or by the id and a version
    found = _readable([profiles.get(user_id) or profiles.get(f"{user_id}_0")], User)
    if not found:
        raise Rejected(missing)
    found[0].userId = user_id
    return found[0]


async def group_ids(sends: Sends) -> list[str]:
    data = await sends.look_up(requests.groups_call(sends.session))
    return sorted(f"g{id_}" for id_ in _object(data, "gridVerMap"))


async def groups(sends: Sends, ids: Sequence[str]) -> dict[str, Group]:
    """Those that can be read, by conversation id."""
    found: dict[str, Group] = {}
    for start in range(0, len(ids), _MANY):
        data = await sends.look_up(requests.group_call(sends.session, ids[start : start + _MANY]))
        found |= {each.id: each for each in _readable(list(_object(data, "gridInfoMap").values()), Group)}
    return found


async def group(sends: Sends, group_id: str, missing: str) -> Group:
    """Raises `Rejected(missing)`."""
    found = (await groups(sends, [group_id])).get(group_id)
    if found is None:
        raise Rejected(missing)
    return found


async def members(sends: Sends, ids: Sequence[str]) -> dict[str, Member]:
    """Names of members by user id; not all may be there."""
    found: dict[str, Member] = {}
    for start in range(0, len(ids), _MANY):
        data = await sends.look_up(lookups.members_info_call(sends.session, ids[start : start + _MANY]))
        for id_, value in _object(data, "profiles").items():
            for profile in _readable([value], Member):
                found[id_.partition("_")[0]] = profile
    return found


def _object(data: Any, name: str) -> dict[str, Any]:
    """Raises `Transient`."""
    inner = data.get(name) if isinstance(data, dict) else None
    if not isinstance(inner, dict):
        raise Transient("malformed_answer")
    return inner


def _readable(values: Sequence[Any], shape: type[T]) -> list[T]:
    found = []
    for value in values:
        with contextlib.suppress(msgspec.ValidationError):
            found.append(msgspec.convert(without_nulls(value), shape))
    return found


# -- in the contract's terms ---------------------------------------------------------------------------------


def conversation_of_user(known: User) -> directory.Conversation:
    return directory.Conversation(known.id, "user", known.name, known.avatar)


def conversation_of_group(known: Group) -> directory.Conversation:
    return directory.Conversation(
        known.id,
        "group",
        known.name,
        known.fullAvt or known.avt,
        created_at=known.created_at,
        description=known.desc or None,
        members_count=known.totalMember,
    )


def contact(known: User) -> directory.Contact:
    extra = None if known.isFr is None else {"is_friend": bool(known.isFr)}
    return directory.Contact(
        known.id, known.id, known.name, known.id, known.avatar, bool(known.isBlocked), extra=extra
    )


def shown_group(known: Group) -> directory.Group:
    return directory.Group(
        known.id,
        known.id,
        known.name,
        known.fullAvt or known.avt,
        known.desc or None,
        created_at=known.created_at,
        member_count=known.totalMember,
    )


# -- ids -----------------------------------------------------------------------------------------------------


def check(id_: str, missing: str, *, group: bool | None = None) -> None:
    """Raises `Rejected(missing)` for what is no id, or not that of a group (`group` False: of a person)."""
    if not is_conversation(id_) or (group is not None and is_group(id_) is not group):
        raise Rejected(missing)


def page(ids: Sequence[str], after: str | None, limit: int) -> tuple[list[str], str | None]:
    """The ids of a page and the cursor of the next one, of ids in their order."""
    rest = [id_ for id_ in ids if after is None or id_ > after]
    some = rest[:limit]
    return some, some[-1] if len(rest) > limit else None


@contextlib.contextmanager
def missing_is(reason: str) -> Iterator[None]:
    """A group that the account is not in does not exist for it."""
    try:
        yield
    except Rejected as refused:
        if refused.reason != "not_a_member":
            raise
        raise Rejected(reason, refused.detail, code=refused.code) from None
