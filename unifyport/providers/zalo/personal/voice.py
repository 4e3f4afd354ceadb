"""Voice messages -> requests. Pure.

As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/sendVoice.ts`): the audio was uploaded as a file,
and is forwarded as a voice message.
"""

from typing import Any, Final

import msgspec

from .calls import Call, Session
from .files import File
from .people import bare, is_group

_VOICE: Final = 3


def voice_call(session: Session, conversation_id: str, file: File, client_id: int) -> Call:
    spoken = {"voiceUrl": file.url, "m4aUrl": file.url, "fileSize": file.size}
    fields: dict[str, Any] = {
        "ttl": 0,
        "zsource": -1,
        "msgType": _VOICE,
        "clientId": str(client_id),
        "msgInfo": msgspec.json.encode(spoken).decode(),
        "imei": session.device.imei,
    }
    if is_group(conversation_id):
        fields |= {"grid": bare(conversation_id), "visibility": 0}
        return session.call("file", "/api/group/forward", fields)
    return session.call("file", "/api/message/forward", fields | {"toId": conversation_id})
