"""The columns of the report's tables, and what a suite declares."""

from collections.abc import Callable

import attrs

from .bench import Bench


@attrs.frozen
class Column:
    """A figure. `format` makes its text; `ratio`: it is also shown as a ratio to ours."""

    figure: str
    title: str
    format: str = "{:,.0f}"
    ratio: bool = False


@attrs.frozen
class Suite:
    """`run` measures one round. `driven`: only through the gateway's command line, so that another checkout
    can be measured.
    """

    name: str
    title: str
    text: str
    run: Callable[[Bench], None]
    columns: tuple[Column, ...]
    driven: bool = True


CPU = Column("cpu", "CPU us each", ratio=True)
RATE = Column("rate", "per second")
LATENCIES = (
    Column("answer p50", "answer p50 ms", "{:.1f}"),
    Column("answer p99", "p99 ms", "{:.1f}"),
    Column("arrival p50", "arrival p50 ms", "{:.1f}"),
    Column("arrival p99", "p99 ms", "{:.1f}"),
)
REFUSED = Column("refused", "asked to come again")
MISORDERED = Column("misordered", "out of order")
