"""What the talk service says of accounts, groups and operations, as Thrift structures."""

from unifyport.providers.line.device import structures as line

from .world import Account, Group

MOST_OPERATIONS = 100


def profile(account: Account) -> line.Profile:
    return line.Profile(
        mid=account.mid,
        region=account.region,
        display_name=account.name,
        status_message=account.status_message or None,
        picture_path=account.picture_path or None,
    )


def chat(group: Group, with_members: bool) -> line.Chat:
    members = dict(group.members) if with_members else None
    extra = line.ChatExtra(line.GroupExtra(group.creator, members, {}))
    return line.Chat(type=0, mid=group.mid, created=group.created, name=group.name, extra=extra)


def operations_after(account: Account, asked: line.SyncRequest) -> line.SyncAnswer | None:
    """What `sync` answers; None: there is nothing yet."""
    if asked.revision < account.lost_before:
        return line.SyncAnswer(full_sync=line.FullSync(frozenset({1}), account.revision))
    new = [one for one in account.operations if (one.revision or 0) > asked.revision]
    if not new:
        return None
    most = min(asked.count or MOST_OPERATIONS, MOST_OPERATIONS)
    return line.SyncAnswer(operations=line.Operations(tuple(new[:most]), len(new) > most))
