"""What the account and the people who know it are told when a device comes or goes."""

from unifyport.protocols.binary_node import Node
from unifyport.protocols.whatsapp.messages import participant_hash

from .directory import Account, Device
from .stanzas import notification, now


def announce(device: Device, change: str) -> None:
    """Tell the account's other devices, and those of the people who know it, of a change to `device`.

    `change`: `add` or `remove`, as on the wire.
    """
    account = device.account
    for other in [account, *account.known]:
        for receiver in other.companions:
            if receiver is device:
                continue
            if other is account:
                receiver.deliver(_to_own(account))
            else:
                receiver.deliver(_to_other(device, change))


def identity_changed(account: Account) -> None:
    """Tell the devices of the people who know the account that its phone has a new identity key."""
    for other in account.known:
        for receiver in other.companions:
            jid = str(account.jid(lid=other.lid_addressed))
            receiver.deliver(notification("encrypt", {"from": jid}, [Node("identity")]))


def _to_other(device: Device, change: str) -> Node:
    account = device.account
    about = Node(
        "device",
        {"jid": str(device.phone_jid), "lid": str(device.lid_jid), "key-index": str(device.number)},
    )
    attrs = {
        "device_hash": participant_hash(each.phone_jid for each in account.devices.values()),
        "device_lid_hash": participant_hash(each.lid_jid for each in account.devices.values()),
    }
    addresses = {"from": str(account.phone_jid), "lid": str(account.lid_jid)}
    return notification(
        "devices", addresses, [Node(change, attrs, [about, Node("key-index-list", {"ts": now()})])]
    )


def _to_own(account: Account) -> Node:
    devices = [Node("device", {"jid": str(each.phone_jid)}) for each in account.devices.values()]
    dhash = participant_hash(each.phone_jid for each in account.devices.values())
    attrs = {"from": str(account.phone_jid)}
    return notification("account_sync", attrs, [Node("devices", {"dhash": dhash}, devices)])
