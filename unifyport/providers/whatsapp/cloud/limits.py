"""How much a business number may send.

Meta names 80 messages a second for a number (20 for one that is also used in the app, which only the operator
knows) and one message in 6 seconds to one customer, of which up to 45 may be sent at once
(https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput, `#pair-rate-limits`). The burst
here is one smaller, as messages that leave evenly do not arrive evenly.
"""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

PARALLEL_SENDS = 64
_PAIR = Limit(1 / 6, 44)
PACE = Pace(account=Limit(80, 20), user=_PAIR, group=_PAIR)
