"""Carrying out one command on a connector: which capability it calls, and what the answer is."""

import logging

from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.process import disk
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.capabilities import (
    CAPABILITIES,
    DOWNLOAD_MEDIA,
    MARK_READ,
    SEND_REPLY,
    capability_to_send,
)
from unifyport.providers.contract.errors import Transient

log = logging.getLogger("unifyport.outbox")

Command = SendCommand | MarkRead | PlatformCall | FetchMedia


async def perform(connector: Connector, command: Command) -> Answer:
    """Call the capability that `command` needs; the API has checked that the connector has it.

    Raises the failure classes of the capability.
    """
    match command:
        case SendCommand(message=message) if message.reply_to_message_id is not None:
            sent = await SEND_REPLY.call(connector, message, message.reply_to_message_id)
        case SendCommand(message=message):
            sent = await capability_to_send(message).call(connector, message)
        case MarkRead():
            await MARK_READ.call(connector, command.conversation_id, command.message_id)
            return Answer(CommandState.SENT)
        case FetchMedia():
            await _download(connector, command)
            return Answer(CommandState.SENT)
        case PlatformCall(capability=name, arguments=arguments):
            return Answer(CommandState.SENT, value=await CAPABILITIES[name].call(connector, *arguments))
    return Answer(CommandState.SENT, sent.message_id, sent.provider_ref)


async def _download(connector: Connector, command: FetchMedia) -> None:
    """Raises failure classes; `Transient("disk")` when the file cannot be written."""
    try:
        with await disk.run(lambda: open(command.path, "xb")) as file:

            async def sink(chunk: bytes) -> None:
                await disk.run(file.write, chunk)

            await DOWNLOAD_MEDIA.call(connector, command.handle, sink, command.limit)
    except OSError as error:
        log.warning("a file cannot be kept: %s", error.strerror)
        raise Transient("disk") from None
