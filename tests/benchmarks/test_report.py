"""The report of the benchmarks: rendered from canned results, with goals that are judged right."""

from pathlib import Path

import pytest

from scripts.benchmarks.__main__ import SUITES
from scripts.benchmarks.goals import GOALS, Goal, Verdict
from scripts.benchmarks.names import ABOUT, ERLANG, NODE, OURS, SATORI
from scripts.benchmarks.report import missed, render
from scripts.benchmarks.results import Results, Sample, Skipped
from scripts.benchmarks.services import case_of
from scripts.benchmarks.suites import supervision

CASE = case_of("whatsapp", 64)


def sample(subject: str, round_: int, **figures: float) -> Sample:
    return Sample("ingress", CASE, subject, round_, figures)


def canned() -> Results:
    """Three rounds: the machine is twice as slow in the second one."""
    rows = [(0, 100.0, 300.0), (1, 200.0, 500.0), (2, 100.0, 280.0)]
    samples = [
        each
        for round_, ours, peer in rows
        for each in (
            sample(OURS, round_, cpu=ours, rate=6000.0, **{"arrival p99": 10.0}),
            sample(SATORI, round_, cpu=peer, rate=2000.0, **{"arrival p99": 50.0}),
        )
    ]
    about = {"machine": "a machine"}
    return Results(about, samples, [Skipped("ingress", NODE, "node is missing: apt-get | nodejs")])


def goal(text: str) -> Goal:
    [found] = [each for each in GOALS if text in each.text]
    return found


def test_ratios_are_taken_within_each_round() -> None:
    found = canned()
    assert found.ratios("ingress", CASE, SATORI, "cpu") == [3.0, 2.5, 2.8]
    verdict, values = goal("WhatsApp in -> durable -> signed webhook, 64 callers").judge(found)
    assert (verdict, values) == (Verdict.MET, [2.5, 2.8, 3.0])


def test_a_round_that_has_only_one_of_two_subjects_has_no_ratio() -> None:
    found = canned()
    found.samples = [each for each in found.samples if (each.subject, each.round) != (OURS, 1)]
    assert found.ratios("ingress", CASE, SATORI, "cpu") == [3.0, 2.8]


def test_goals_are_judged_by_their_direction() -> None:
    found = canned()
    assert goal("WhatsApp: p99 of the webhook").judge(found)[0] is Verdict.STRETCH  # 0.2x of at most 0.5x
    assert goal("durable events").judge(found)[0] is Verdict.MET  # 6,000 of at least 5,500
    assert goal("Telegram: p99 of the webhook").judge(found)[0] is Verdict.UNKNOWN
    for ours, verdict in ((4000.0, Verdict.STRETCH), (4500.0, Verdict.MET), (5000.0, Verdict.MISSED)):
        memory = [("memory", OURS, ours), ("memory", ERLANG, 3400.0)]
        found = Results(
            samples=[
                Sample(supervision.NAME, supervision.MEMORY, subject, 0, {"bytes": value})
                for _, subject, value in memory
            ]
        )
        assert goal("bytes of an idle child").judge(found)[0] is verdict


def test_a_missed_goal_is_told() -> None:
    found = canned()
    assert missed(found) == []
    for each in found.samples:
        if each.subject == OURS:
            each.figures["rate"] = 5000.0
    assert missed(found) == ["durable events of one process on one core, WhatsApp, 64 callers"]


def test_the_report_has_goals_subjects_tables_and_what_was_skipped() -> None:
    text = render(canned(), list(SUITES.values()))
    assert "| machine | a machine |" in text
    ratio = "| >= 2.50x | >= 3.50x | 2.80x | 2.50x to 3.00x | met |"
    assert ratio in text
    assert f"| {CASE} | {OURS} | 100 |   | 6,000 |" in text
    assert f"|   | {SATORI} | 300 | 2.80x | 2,000 |" in text
    assert "| ingress | Node | node is missing: apt-get / nodejs |" in text
    assert "## Sends" not in text  # nothing was measured
    assert f"| {SATORI} | {ABOUT[SATORI][0]} |" in text
    assert f"| {ERLANG} |" not in text


def test_every_table_is_rectangular() -> None:
    width = 0
    for line in render(canned(), list(SUITES.values())).splitlines():
        cells = line.count("|") if line.startswith("|") else 0
        assert cells == width or not (cells and width), line
        width = cells


def test_results_survive_the_file(tmp_path: Path) -> None:
    found, path = canned(), tmp_path / "cache" / "results.json"
    found.write(path)
    assert Results.read(path) == found


@pytest.mark.parametrize("each", GOALS, ids=lambda each: each.text)
def test_a_stretch_goal_is_harder_than_its_goal(each: Goal) -> None:
    assert each.stretch <= each.goal if each.at_most else each.stretch >= each.goal
