"""What Telegram allows a user account, and what the declaration says of the connection."""

from typing import Final

PARALLEL_SENDS: Final = 4
MAX_TEXT: Final = 4096  # UTF-16 code units; https://core.telegram.org/api/config#message-length-max
MAX_DOWNLOAD: Final = 2 << 30
MAX_UPLOAD: Final = {
    "image": 10 << 20,
    "audio": 2000 << 20,
    "voice": 2000 << 20,
    "video": 2000 << 20,
    "file": 2000 << 20,
    "sticker": 512 << 10,
}
