"""Supervision for trio, in OTP's vocabulary, extended for long-lived connections.

A *child* is an async function that a supervisor runs again and again by a `Policy`; one run of it is an
*incarnation*. Beside OTP's restart types, intensity and strategies there are back-off with jitter, a
stability time after which failures are forgotten, terminal reasons, parking, probes, admission, and a history
that can be read. The library has nothing to do with messaging and imports only trio and attrs.

    decide.py      the restart decision: a pure function of (policy, history, desired, now)
    loop.py        the restart loop of a child     child.py    what it holds, and its snapshot
    incarnation.py one run of a child, and how its end is judged
    deadlines.py   the deadlines of all starts and stops
    probing.py     asks silent children for a sign of life
    admission.py   how many children start at a time, how fast, and in which order
    one_for_one.py independent, dynamic children      rest_for_one.py  ordered children, also one_for_all
    turnstile.py   limits how many tasks wake up in one turn of the event loop
    slices.py      long computations in slices
    introspection.py  the tree as data
"""

from .admission import Admission, Ticket
from .child import ChildState
from .decide import Desired, Escalate, Idle, Run, Wait, decide
from .history import FailureRecord, History, Urgency
from .incarnation import Incarnation
from .introspection import Node, count_children, tree
from .one_for_one import OneForOne, TooManyChildren, UnknownChild
from .outcomes import Ended, Exhausted, Failure, Kind, Outcome, RetryLater, Terminal, classify, split
from .phase import Phase
from .policy import Backoff, OnExhausted, Policy, PolicyProblem, Probe, Restart
from .probing import Probed, Prober
from .rest_for_one import OneForAll, RestForOne
from .slices import Slices, map_in_slices
from .spec import ChildSpec
from .turnstile import Turnstile, turnstile
from .wake import Wake

__all__ = [
    "Admission",
    "Backoff",
    "ChildSpec",
    "ChildState",
    "Desired",
    "Ended",
    "Escalate",
    "Exhausted",
    "Failure",
    "FailureRecord",
    "History",
    "Idle",
    "Incarnation",
    "Kind",
    "Node",
    "OnExhausted",
    "OneForAll",
    "OneForOne",
    "Outcome",
    "Phase",
    "Policy",
    "PolicyProblem",
    "Probe",
    "Probed",
    "Prober",
    "RestForOne",
    "Restart",
    "RetryLater",
    "Run",
    "Slices",
    "Terminal",
    "Ticket",
    "TooManyChildren",
    "Turnstile",
    "UnknownChild",
    "Urgency",
    "Wait",
    "Wake",
    "classify",
    "count_children",
    "decide",
    "map_in_slices",
    "split",
    "tree",
    "turnstile",
]
