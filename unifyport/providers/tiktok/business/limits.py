"""How much a business account may send.

TikTok names ten requests a second to the Business Messaging endpoints, and tells a request above that by the
code 40100 (https://business-api.tiktok.com/portal/docs?id=1832184236919810). How many messages one
conversation takes depends on when its customer wrote last, which only TikTok counts.
"""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

PARALLEL_SENDS = 8
PACE = Pace(account=Limit(10, 10))
WINDOW_HOURS = 48
