"""Where a child is, as its supervisor sees it."""

import enum


class Phase(enum.Enum):
    WAITING = "waiting"  # for its admission to start
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    DEFERRED = "deferred"  # told to wait
    PARKED = "parked"
    TERMINAL = "terminal"
    COMPLETED = "completed"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STUCK = "stuck"  # cancelled, and still alive after `stop_timeout`
