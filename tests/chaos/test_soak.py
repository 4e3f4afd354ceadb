"""`scripts/chaos soak`, reduced: mixed load for two minutes; the script runs for 30."""

from pathlib import Path

import pytest

from scripts.scenarios import soak

METRICS = """# TYPE unifyport_loop_held_total counter
unifyport_loop_held_total 3.0
unifyport_loop_held_seconds_total 0.25
unifyport_loop_longest_turn_seconds 0.12
unifyport_loops_of_others 7
"""


def test_a_line_of_the_figures_has_memory_descriptors_and_the_lag_of_the_loop(tmp_path: Path) -> None:
    loop = soak.loop_figures(METRICS)
    assert loop == (3, 0.25, 0.12)
    samples = [soak.Sample(10.0, 1 << 20, 30, 0.002), soak.Sample(11.0, 2 << 20, 31, 0.003, *loop)]
    soak._write(samples, tmp_path / "soak.csv")
    assert (tmp_path / "soak.csv").read_text().splitlines()[1:] == [
        "0,1048576,30,0.0020,0,0.0000,0.0000",
        "1,2097152,31,0.0030,3,0.2500,0.1200",
    ]


def grown(by: float) -> list[soak.Sample]:
    """Two minutes, in which memory grows evenly by this share."""
    return [soak.Sample(at, round((100 << 20) * (1 + by * at / 120)), 30, 0.002) for at in range(120)]


@pytest.mark.parametrize(("by", "kept"), [(0.0, True), (0.1, True), (0.3, False)])
def test_memory_that_grows_is_found(by: float, kept: bool) -> None:
    assert soak._judge(grown(by), soak.Load(None, 0, "", 0.0), 0, 0) is kept  # type: ignore[arg-type]


@pytest.mark.chaos
async def test_memory_has_a_plateau_under_mixed_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "HEALTH_LIMIT", 5.0)  # what a liveness probe commonly waits
    assert await soak.run(120, pause=0.05)
