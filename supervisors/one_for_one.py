"""one_for_one with dynamic children: a child's end does not affect the others.

Every child is one task in the supervisor's nursery, in which its restart loop (`loop.py`) runs. Verbs (start,
stop, restart, reset, remove) write what is desired and return at once; the loop acts on it.
"""

import random
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from functools import partial

import attrs
import trio

from .child import Child, ChildState, Listener
from .decide import Desired
from .history import History
from .incarnation import CancelReason, Incarnation
from .introspection import Supervisor
from .loop import RestartLoops
from .phase import Phase
from .policy import Policy
from .spec import ChildSpec


class UnknownChild(KeyError):
    """There is no child with this id."""


class TooManyChildren(Exception):
    """The supervisor has `max_children` already."""


class OneForOne:
    """A supervisor of independent children, itself runnable as the body of a child.

    Children may be added before `run` is entered; they start when it is. `run` reports itself started as
    soon as it accepts children, not when all of them are up. They are stopped all at once or, with
    `stop_in_order`, one after another, last added first. There are never more than `max_children`.
    """

    strategy = "one_for_one"

    def __init__(
        self,
        *,
        stop_in_order: bool = False,
        max_children: int | None = None,
        draw: Callable[[], float] = lambda: random.uniform(-1.0, 1.0),  # noqa: S311
    ) -> None:
        self._in_order = stop_in_order
        self.max_children = max_children
        self._children: dict[str, Child] = {}
        self._loops = RestartLoops(draw, self._forget)
        self._came_up = self._loops.mark_up  # one bound method for all children
        self._nursery: trio.Nursery | None = None
        self._context = Context()  # of `run`: a child does not inherit that of the task that adds it

    # -- running ------------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Supervise until asked to stop (children are then stopped, each by its own policy) or cancelled.

        Raises `Exhausted` when a child escalates.
        """
        async with trio.open_nursery() as nursery:
            self._nursery, self._context = nursery, copy_context()
            try:
                self._loops.begin(nursery)
                for child in self._children.values():
                    self._start(child, nursery)
                incarnation.started()
                await incarnation.stopping()
                await self._stop_all()
                nursery.cancel_scope.cancel()
            finally:
                self._nursery = None

    def _start(self, child: Child, nursery: trio.Nursery) -> None:
        self._context.run(partial(nursery.start_soon, self._loops.supervise, child, name=child.spec.id))

    def _forget(self, child: Child) -> None:
        self._children.pop(child.spec.id, None)

    async def _stop_all(self) -> None:
        """Stop every child but keep what is desired of it: a later `run` starts them again."""
        self._loops.stopping = True
        for child in reversed(self._children.values()):
            if self._in_order:
                await self._stop_one(child)
            elif child.incarnation is not None:
                self._loops.end(child, child.incarnation, CancelReason.STOP)
            else:
                child.wake.ring()
        for child in list(self._children.values()):
            await self._stop_one(child)

    async def _stop_one(self, child: Child) -> None:
        running, policy = child.incarnation, child.spec.policy
        if running is None:
            child.wake.ring()
            return
        if not running.stop_requested:
            self._loops.end(child, running, CancelReason.STOP)
        with trio.move_on_after(policy.stop_grace + policy.stop_timeout):
            await child.until_ended()

    # -- verbs: write, ring, return the verb's number --------------------------------------------------------

    def add(
        self,
        spec: ChildSpec,
        *,
        desired: Desired = Desired.RUNNING,
        terminal: str | None = None,
        not_before: float | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Add a child. `terminal` and `not_before` restore its state from an earlier process.

        Raises `ValueError` if the id exists, `TooManyChildren`.
        """
        if spec.id in self._children:
            raise ValueError(f"child {spec.id!r} exists")
        if self.full:
            raise TooManyChildren(f"there are {len(self._children)} children, which is the most allowed")
        history = History(terminal=terminal, not_before=not_before)
        child = Child(spec, desired, history, listener=listener, came_up=self._came_up)
        self._children[spec.id] = child
        if self._nursery is not None:
            self._start(child, self._nursery)

    def remove(self, child_id: str) -> None:
        """Stop a child and forget it."""
        child = self._child(child_id)
        child.removed = True
        self._loops.command(child, desired=Desired.STOPPED)
        if self._nursery is None:
            del self._children[child_id]

    def start(self, child_id: str) -> int:
        """Set desired to running, and try a child in back-off, deferred or parked now. No effect on a running
        child.
        """
        child = self._child(child_id)
        if child.incarnation is None:
            child.history.try_now = True
            child.history.not_before = None
        return self._loops.command(child, desired=Desired.RUNNING)

    def stop(self, child_id: str) -> int:
        return self._loops.command(self._child(child_id), desired=Desired.STOPPED)

    def restart(self, child_id: str) -> int:
        """End the running incarnation and run the next one at once; costs no budget."""
        child = self._child(child_id)
        child.history.try_now = True
        child.desired = Desired.RUNNING
        return self._loops.command(child, end=CancelReason.STOP)

    def fail_probe(self, child_id: str) -> int:
        """End the running incarnation as failed: it costs budget, and the back-off applies."""
        return self._loops.command(self._child(child_id), end=CancelReason.RESTART)

    def reset(self, child_id: str) -> int:
        """Forget the child's failures, its terminal reason and its `not_before`."""
        child = self._child(child_id)
        child.history.reset()
        return self._loops.command(child)

    def reconfigure(self, child_id: str, policy: Policy) -> int:
        """Give a child another policy. The running incarnation goes on; probes follow the new policy."""
        child = self._child(child_id)
        probe = child.spec.policy.probe
        child.spec = attrs.evolve(child.spec, policy=policy)
        if child.phase is Phase.RUNNING and policy.probe != probe:
            before = child.watch
            self._loops.watch(child)
            if before is not None and child.watch is not None:
                child.watch.quiet_from = before.quiet_from
        return self._loops.command(child)

    async def settled(self, child_id: str, verb: int, timeout: float = 5.0) -> bool:
        """Wait until the child's loop has acted on verb number `verb`; False after `timeout` seconds."""
        child = self._children.get(child_id)
        with trio.move_on_after(timeout):
            while child is not None and child.seen < verb:
                if child.settled is None:
                    child.settled = trio.Event()
                await child.settled.wait()
            return True
        return False

    # -- introspection --------------------------------------------------------------------------------------

    def _child(self, child_id: str) -> Child:
        try:
            return self._children[child_id]
        except KeyError:
            raise UnknownChild(child_id) from None

    def __contains__(self, child_id: str) -> bool:
        return child_id in self._children

    @property
    def full(self) -> bool:
        """Whether there are `max_children` already."""
        return self.max_children is not None and len(self._children) >= self.max_children

    def which_children(self) -> Iterable[ChildState]:
        return [child.state() for child in self._children.values()]

    def supervisor_of(self, child_id: str) -> Supervisor | None:
        return self._child(child_id).spec.supervisor

    def policy(self, child_id: str) -> Policy:
        return self._child(child_id).spec.policy

    def state(self, child_id: str) -> ChildState:
        return self._child(child_id).state()
