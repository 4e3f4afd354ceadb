"""The phases of a child, as its supervisor reports them."""

import enum


class Phase(enum.Enum):
    WAITING = "waiting"  # for a ticket to start
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    DEFERRED = "deferred"  # waits as the platform or the store asked
    PARKED = "parked"
    TERMINAL = "terminal"
    COMPLETED = "completed"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STUCK = "stuck"  # cancelled, and still alive after `stop_timeout`
