"""The session of a linked device as its parts read and change it.

record                                  holds
-------------------------------------   ---------------------------------------------------------------
("device", b"")                         `keys.DeviceKeys`: keys, ids, the phone's signature
("signal", address)                     a Signal session record with one device
("prekey", id)                          a private prekey that the platform has or had
("sender_key", group | address)         the sender keys of a member's device
("own_sender_key", group)               our sender key of a group, and the devices that have it
("lid", phone), ("pn", lid)             the two ids of a person
("token", lid), ("salt", b"")           trusted-contact tokens; the salt that makes others
("chat", address)                       the disappearing timer of a conversation
("message", message key)                who sent a message, its beginning and its secret
("sent", message id)                    what we sent, for devices that could not decrypt it
("history", message id)                 a blob of history that was told and not read yet
("retry", hash | message id)            how often we asked for a message that could not be decrypted
("retry_key", device)                   the id of the prekey that a device got with such a request
"""

from unifyport.providers import records
from unifyport.providers.contract.session import Session
from unifyport.providers.records import Draft, scan_all

__all__ = ["Draft", "Records", "scan_all"]

_UNIQUE = ("message", "sent", "retry", "prekey")


class Records(records.Records):
    """The records of a linked device."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, unique=_UNIQUE)
