"""How much a bot may send.

Telegram names about 30 messages a second in all, one a second to one chat with short bursts above it, and 20
a minute to one group (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). The
bursts here are smaller than what these numbers allow, as messages that leave evenly do not arrive evenly.
"""

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit

PARALLEL_SENDS = 32
PACE = Pace(account=Limit(30, 10), user=Limit(1, 3), group=Limit(20 / 60, 5))
