"""The calls of the talk service about keys of Letter Sealing."""

from typing import Any

from unifyport.providers.line.device import key_structures as of
from unifyport.providers.line.device import structures as line

from .refusals import Refused
from .world import Account, Device, Group, GroupKey, World


class KeyService:
    """Hands out and registers the keys of users and groups."""

    def __init__(self, world: World) -> None:
        self._world = world

    def own(self, account: Account) -> tuple[line.PublicKey, ...]:
        return tuple(map(_key, account.registered.values()))

    def negotiate(self, device: Device, asked: of.NegotiateArguments) -> line.Negotiation:
        account = self._world.accounts.get(asked.mid)
        if account is None:
            raise Refused(5, "no such user")
        if account.key is None:
            return line.Negotiation(frozenset(), None, -1)
        return line.Negotiation(frozenset({0, 1, 2, 3, 14, 15}), _key(account.key), 2)

    def public_key(self, device: Device, asked: of.PublicKeyArguments) -> line.PublicKey:
        account = self._world.accounts.get(asked.mid)
        if account is None or asked.key_id not in account.registered:
            raise Refused(5, "no such key")
        return _key(account.registered[asked.key_id])

    def member_keys(self, device: Device, asked: of.MemberKeysArguments) -> dict[str, line.PublicKey]:
        group = self._group(device.account, asked.chat_mid)
        return {one.mid: _key(one.key) for one in self._world.members(group) if one.key is not None}

    def register(self, device: Device, asked: of.RegisterPublicKeyArguments) -> line.PublicKey:
        if asked.key is None or asked.key.data is None or len(asked.key.data) != 32:
            raise Refused(85, "key")
        return _key(self._world.register(device.account, asked.key.data))

    def _group(self, account: Account, mid: str) -> Group:
        group = self._world.groups.get(mid)
        if group is None or account.mid not in group.members:
            raise Refused(10, "not a member")
        return group

    def last_group_key(self, device: Device, asked: of.LastGroupKeyArguments) -> line.GroupKey:
        group = self._group(device.account, asked.chat_mid)
        if not group.keys:
            raise Refused(5, "no group key")
        return _group_key(group.keys[-1], device.account)

    def group_key(self, device: Device, asked: of.GroupKeyArguments) -> line.GroupKey:
        group = self._group(device.account, asked.chat_mid)
        for key in group.keys:
            if key.id == asked.group_key_id:
                return _group_key(key, device.account)
        raise Refused(5, "no such group key")

    def register_group_key(self, device: Device, asked: of.RegisterGroupKeyArguments) -> line.GroupKey:
        account = device.account
        group = self._group(account, asked.chat_mid)
        sealing = {one.mid for one in self._world.members(group) if one.key is not None}
        if set(asked.members) != sealing or account.key is None:
            raise Refused(99, "members have changed")
        sealed = dict(zip(asked.members, zip(asked.key_ids, asked.sealed, strict=True), strict=True))
        key = GroupKey(self._world.new_key_id(), account.mid, account.key.key_id, sealed)
        self.add_group_key(group, key)
        return _group_key(key, account)

    def add_group_key(self, group: Group, key: GroupKey) -> None:
        group.keys.append(key)
        group.stale = False


def _key(key: Any) -> line.PublicKey:
    return line.PublicKey(version=1, key_id=key.key_id, data=key.data, created=0)


def _group_key(key: GroupKey, account: Account) -> line.GroupKey:
    if account.mid not in key.sealed:
        raise Refused(5, "not sealed for this member")
    receiver_key_id, sealed = key.sealed[account.mid]
    return line.GroupKey(
        version=2,
        group_key_id=key.id,
        creator=key.creator,
        creator_key_id=key.creator_key_id,
        receiver=account.mid,
        receiver_key_id=receiver_key_id,
        sealed=sealed,
    )
