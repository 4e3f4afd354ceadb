"""The child spec: how a supervisor runs a child."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

from .admission import Admission
from .introspection import Supervisor
from .outcomes import Classify, classify
from .policy import Policy
from .probing import Probed, Prober

if TYPE_CHECKING:
    from .incarnation import Incarnation

Body = Callable[["Incarnation"], Awaitable[None]]


@attrs.define
class ChildSpec:
    """`run` is called once per incarnation and must call `incarnation.started()` when the child is up.

    It may end by returning or raising. To stop it, the supervisor sets `incarnation.stopping`, and cancels it
    after `policy.stop_grace` seconds.
    """

    id: str
    run: Body
    policy: Policy = attrs.field(factory=Policy)
    classify: Classify = classify
    admission: Admission | None = None  # grants the tickets for its starts; its `run` must run elsewhere
    probed: Probed | None = None  # probed by `prober`, if both are given
    prober: Prober | None = None  # its `run` must run elsewhere
    supervisor: Supervisor | None = None  # the child itself, if it is a supervisor: for introspection
