"""How much a bot may send and receive. Zalo publishes no rate; what exceeds it is answered with 429."""

MEBIBYTE = 1024 * 1024
MAX_TEXT = 2000  # characters of `sendMessage` (https://bot.zaloplatforms.com/docs/apis/sendMessage)
MAX_DOWNLOAD = 100 * MEBIBYTE  # Zalo names no limit
MAX_UPLOAD = {"image": 10 * MEBIBYTE}  # Zalo names no limit of what it fetches
PARALLEL_SENDS = 8
