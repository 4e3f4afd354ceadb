"""What Telegram allows a user account, and what the declaration says of the connection."""

from typing import Final

MEBIBYTE: Final = 1024 * 1024
PARALLEL_SENDS: Final = 4
MAX_TEXT: Final = 4096  # https://core.telegram.org/api/config#message-length-max
MAX_DOWNLOAD: Final = 2000 * MEBIBYTE
# 4,000 parts of 512 KiB: https://core.telegram.org/api/files#uploading-files
MAX_UPLOAD: Final = {
    "image": 10 * MEBIBYTE,
    "video": 2000 * MEBIBYTE,
    "audio": 2000 * MEBIBYTE,
    "document": 2000 * MEBIBYTE,
}


def canonical(conversation_id: str) -> str:
    """The form that events use: a number; a name of a public chat in lower case."""
    return conversation_id.lower() if conversation_id.startswith("@") else conversation_id
