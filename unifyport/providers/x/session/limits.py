"""What a session may do. X publishes no limits of its web application: these are careful ones."""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

MEBIBYTE = 1024 * 1024
MAX_TEXT = 10_000
MAX_FILE = 100 * MEBIBYTE
MAX_UPLOAD = dict.fromkeys(("image", "video", "audio", "document"), MAX_FILE)
MAX_DOWNLOAD = 512 * MEBIBYTE
PARALLEL_SENDS = 2
PACE = Pace(account=Limit(1.0, 15))
