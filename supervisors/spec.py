"""The child spec: what a supervisor needs to know to run a child."""

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
    """`run` is called once per incarnation and must call `incarnation.started()` when it is of use.

    It may end by returning or raising; it is stopped by `incarnation.stopping` being set, and by a cancel
    once `policy.stop_grace` has passed.
    """

    id: str
    run: Body
    policy: Policy = attrs.field(factory=Policy)
    classify: Classify = classify
    admission: Admission | None = None  # whose tickets its starts need; somebody must run that
    probed: Probed | None = None  # what is asked for a sign of life, by `prober`; somebody must run that
    prober: Prober | None = None
    supervisor: Supervisor | None = None  # what the child is, if it is a supervisor: for introspection
