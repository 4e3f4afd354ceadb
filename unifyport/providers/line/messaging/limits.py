"""How much a channel may send, and how large.

2,000 requests a second to each endpoint of a channel
(https://developers.line.biz/en/reference/messaging-api/#rate-limits); text of 5,000 UTF-16 units
(#text-message); images of 10 MB, videos and audio of 200 MB, their addresses of 2,000 characters
(#image-message, #video-message, #audio-message); bodies of 2 MB (#status-codes).
"""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

PARALLEL_SENDS = 32
PACE = Pace(account=Limit(1000, 100))  # half: requests do not arrive as evenly as they leave
MEBIBYTE = 1024 * 1024
MAX_TEXT = 5000  # UTF-16 units
MAX_ALT_TEXT = 1500
MAX_URL = 2000
MAX_BODY = 240 * 1024  # bytes of a push, which is kept until it is settled (`session.MAX_VALUE`)
MAX_UPLOAD = {"image": 10 * MEBIBYTE, "video": 200 * MEBIBYTE, "audio": 200 * MEBIBYTE}
MAX_DOWNLOAD = 1024 * MEBIBYTE  # LINE names no limit
