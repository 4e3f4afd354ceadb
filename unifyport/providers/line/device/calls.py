"""Calls of the talk service: arguments, answers, and where and how each one is sent.

A call is a row of `CALLS`. Its answer has the result in field 0 and the exception in field 1; a result that
may be missing is told by `void`. Paths are those of the compact encoding (`…4`), as linejs sends them.
"""

from attrs import frozen

from . import call_structures as of
from . import history_structures as held
from . import key_structures as keys

TALK_PATH = "/S4"
SYNC_PATH = "/SYNC4"


@frozen
class Call:
    """How a call is sent and answered. `void`: an answer without a result is a success."""

    name: str
    arguments: type
    result: type
    path: str = TALK_PATH
    void: bool = False


CALLS = {
    call.name: call
    for call in (
        Call("logoutV2", of.NoArguments, of.Void, void=True),
        Call("sync", of.SyncArguments, of.SyncResult, SYNC_PATH),
        Call("getLastOpRevision", of.NoArguments, of.RevisionResult),
        Call("getProfile", of.ReasonArguments, of.ProfileResult),
        Call("sendMessage", of.SendMessageArguments, of.MessageResult),
        Call("sendChatChecked", of.SendChatCheckedArguments, of.Void, void=True),
        Call("unsendMessage", of.UnsendMessageArguments, of.Void, void=True),
        Call("react", of.ReactArguments, of.Void, void=True),
        Call("cancelReaction", of.CancelReactionArguments, of.Void, void=True),
        Call("getAllContactIds", of.ReasonArguments, of.MidsResult),
        Call("getBlockedContactIds", of.ReasonArguments, of.MidsResult),
        Call("getContact", of.ContactArguments, of.ContactResult),
        Call("getContacts", of.ContactsArguments, of.ContactsResult),
        Call("blockContact", of.BlockContactArguments, of.Void, void=True),
        Call("unblockContact", of.BlockContactArguments, of.Void, void=True),
        Call("getChats", of.GetChatsArguments, of.GetChatsResult),
        Call("getAllChatMids", of.GetAllChatMidsArguments, of.GetAllChatMidsResult),
        Call("getMessageBoxes", held.MessageBoxesArguments, held.MessageBoxesResult),
        Call("getPreviousMessagesV2WithRequest", held.PreviousMessagesArguments, held.MessagesResult),
        Call("negotiateE2EEPublicKey", keys.NegotiateArguments, keys.NegotiateResult),
        Call("getE2EEPublicKey", keys.PublicKeyArguments, keys.PublicKeyResult),
        Call("getE2EEPublicKeys", of.NoArguments, keys.PublicKeysResult),
        Call("getLastE2EEPublicKeys", keys.MemberKeysArguments, keys.MemberKeysResult),
        Call("registerE2EEPublicKey", keys.RegisterPublicKeyArguments, keys.PublicKeyResult),
        Call("getLastE2EEGroupSharedKey", keys.LastGroupKeyArguments, keys.GroupKeyResult),
        Call("getE2EEGroupSharedKey", keys.GroupKeyArguments, keys.GroupKeyResult),
        Call("registerE2EEGroupKey", keys.RegisterGroupKeyArguments, keys.GroupKeyResult),
    )
}
