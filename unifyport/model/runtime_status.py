"""`runtime_status`: eight public values, and the table of their transitions.

    unknown ---START---> starting --CONNECTED--> running --LINK_LOST--> reconnecting --CONNECTED--> running
                            |                                               |
                            +---------LINK_LOST (a try failed)------------->+
                            |                                               |
                            +--EXHAUSTED / LOGIN_LOST--> disconnected <-----+
                            +--CRASH_PARKED------------> error
    any live status --STOP--> stopping --STOPPED--> stopped;   stopping --STUCK--> error

`running` means that the platform answered this incarnation; having credentials is not enough. While a lost
connection is retried the status stays `reconnecting`; only `next_retry_at` changes. A pair of status and
trigger that is not in the table is a bug of the calling code and raises `UnknownTransition`.
"""

import enum


class RuntimeStatus(enum.StrEnum):
    UNKNOWN = "unknown"  # never observed
    STARTING = "starting"  # connecting for the first time, or after a start
    RUNNING = "running"  # online
    STOPPING = "stopping"
    STOPPED = "stopped"  # on request
    RECONNECTING = "reconnecting"  # connection lost, retrying
    DISCONNECTED = "disconnected"  # login lost, or parked: one try per park interval
    ERROR = "error"  # unexpected failure


class Trigger(enum.Enum):
    """What the supervisor observed."""

    START = "start"  # an incarnation begins after a stop, a reset, a new login, or for the first time
    CONNECTED = "connected"
    LINK_LOST = "link_lost"  # the connection ended and will be retried
    EXHAUSTED = "exhausted"  # parked after network failures or conflicts
    CRASH_PARKED = "crash_parked"  # parked after bugs
    LOGIN_LOST = "login_lost"  # terminal until a new login
    STOP = "stop"
    STOPPED = "stopped"
    STUCK = "stuck"  # cancelled, and still alive after its stop deadline


class UnknownTransition(Exception):
    """A trigger that is not allowed in the status."""


_S, _T = RuntimeStatus, Trigger

_LIVE = (_S.STARTING, _S.RUNNING, _S.RECONNECTING)
_DOWN = (_S.UNKNOWN, _S.STOPPED, _S.DISCONNECTED, _S.ERROR)

TRANSITIONS: dict[tuple[RuntimeStatus, Trigger], RuntimeStatus] = {
    **{(status, _T.START): _S.STARTING for status in (*_DOWN, _S.STARTING, _S.STOPPING)},
    (_S.RECONNECTING, _T.START): _S.RECONNECTING,
    (_S.RUNNING, _T.START): _S.RECONNECTING,
    **{(status, _T.CONNECTED): _S.RUNNING for status in _LIVE},
    **{(status, _T.LINK_LOST): _S.RECONNECTING for status in (*_LIVE, *_DOWN, _S.STOPPING)},
    **{(status, _T.EXHAUSTED): _S.DISCONNECTED for status in (*_LIVE, *_DOWN, _S.STOPPING)},
    **{(status, _T.CRASH_PARKED): _S.ERROR for status in (*_LIVE, *_DOWN, _S.STOPPING)},
    **{(status, _T.LOGIN_LOST): _S.DISCONNECTED for status in (*_LIVE, *_DOWN, _S.STOPPING)},
    **{(status, _T.STOP): _S.STOPPING for status in (*_LIVE, _S.STOPPING)},
    **{(status, _T.STOPPED): _S.STOPPED for status in RuntimeStatus},
    (_S.STOPPING, _T.STUCK): _S.ERROR,
}


def next_status(status: RuntimeStatus, trigger: Trigger) -> RuntimeStatus:
    """The status after `trigger`. Raises `UnknownTransition` for a pair that is not in the table."""
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise UnknownTransition(f"{trigger.name} while {status.value}") from None
