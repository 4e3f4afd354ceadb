"""When the stream may be opened again (https://docs.x.com/x-api/fundamentals/handling-disconnections). Pure.

A connection that was established and drops is opened again at once. A try that fails is followed by a wait:

    the network failed        250 ms more after each try, at most 16 s
    HTTP refused              5 s, doubled after each try, at most 320 s
    429                       60 s, doubled after each try, at most 320 s; or what the answer says, if longer

A connection that has lasted for `STABLE_SECONDS` clears earlier failures.
"""

import attrs

from unifyport.providers.contract.errors import ChannelError, RateLimited

STABLE_SECONDS = 60.0
_NETWORK_STEP, _NETWORK_MOST = 0.25, 16.0
_HTTP_FIRST, _LIMITED_FIRST, _MOST = 5.0, 60.0, 320.0


@attrs.define
class Backoff:
    """`network` and `refused`: the failures in a row, of either kind."""

    network: int = 0
    refused: int = 0

    def after(self, error: ChannelError, *, network: bool) -> float:
        """Seconds to wait after this failure. `network`: there was no answer."""
        if network:
            self.network += 1
            return min(self.network * _NETWORK_STEP, _NETWORK_MOST)
        first = _LIMITED_FIRST if isinstance(error, RateLimited) else _HTTP_FIRST
        wait = min(first * float(2**self.refused), _MOST)
        self.refused = min(self.refused + 1, 16)
        return max(wait, error.retry_after) if isinstance(error, RateLimited) else wait

    def clear(self) -> None:
        self.network = self.refused = 0
