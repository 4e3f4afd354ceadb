"""Arguments and results of the calls about keys of Letter Sealing, and keys as the server hands them out."""

from collections.abc import Mapping
from typing import Annotated, TypeGuard

from attrs import field, frozen

from unifyport.protocols.letter_sealing.errors import LetterSealingError
from unifyport.protocols.letter_sealing.keys import MAX_KEY_ID, PublicKey
from unifyport.protocols.thrift import I32

from . import structures as line


@frozen
class NegotiateArguments:
    mid: Annotated[str, 2] = ""


@frozen
class NegotiateResult:
    success: Annotated[line.Negotiation | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class PublicKeyArguments:
    """One key of a user, by its id."""

    mid: Annotated[str, 2] = ""
    key_version: Annotated[I32, 3] = 1
    key_id: Annotated[I32, 4] = 0


@frozen
class PublicKeyResult:
    success: Annotated[line.PublicKey | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class PublicKeysResult:
    """The account's own keys."""

    success: Annotated[tuple[line.PublicKey, ...] | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class MemberKeysArguments:
    chat_mid: Annotated[str, 2] = ""


@frozen
class MemberKeysResult:
    """The current key of each member, by mid."""

    success: Annotated[Mapping[str, line.PublicKey] | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class RegisterPublicKeyArguments:
    req_seq: Annotated[I32, 1] = 0
    key: Annotated[line.PublicKey | None, 2] = None


@frozen
class LastGroupKeyArguments:
    key_version: Annotated[I32, 2] = 2
    chat_mid: Annotated[str, 3] = ""


@frozen
class GroupKeyArguments:
    key_version: Annotated[I32, 2] = 2
    chat_mid: Annotated[str, 3] = ""
    group_key_id: Annotated[I32, 4] = 0


@frozen
class GroupKeyResult:
    success: Annotated[line.GroupKey | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class RegisterGroupKeyArguments:
    """One sealed key for each member; the three lists are in the same order."""

    key_version: Annotated[I32, 2] = 1
    chat_mid: Annotated[str, 3] = ""
    members: Annotated[tuple[str, ...], 4] = ()
    key_ids: Annotated[tuple[I32, ...], 5] = ()
    sealed: Annotated[tuple[bytes, ...], 6] = field(default=(), repr=False)


def is_key_id(value: int | None) -> TypeGuard[int]:
    """Whether a server's word is a key id."""
    return value is not None and 0 <= value <= MAX_KEY_ID


def public_key(found: line.PublicKey | None) -> PublicKey | None:
    """A key as the server hands it out; None for one that is none."""
    if found is None or found.data is None or not is_key_id(found.key_id):
        return None
    try:
        return PublicKey(found.key_id, found.data)
    except LetterSealingError:
        return None
