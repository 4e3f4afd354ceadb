"""How much an Official Account may send.

Zalo names 4,000 requests a minute for an app and 5,000 uploads a month for an account
(https://docs.zaloplatforms.com/docs/OA). A customer may be written to within seven days of the last
interaction.
"""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
PARALLEL_SENDS = 16
PACE = Pace(account=Limit(60, 20))
WINDOW_HOURS = 7 * 24
MAX_TEXT = 2000  # characters in Normalization Form C
MAX_GIF = 5 * MEBIBYTE
MAX_UPLOAD = {"image": MAX_GIF, "document": 5 * MEBIBYTE}
MAX_PICTURE = MEBIBYTE  # JPEG and PNG
MAX_DOWNLOAD = 100 * MEBIBYTE  # Zalo names no limit
