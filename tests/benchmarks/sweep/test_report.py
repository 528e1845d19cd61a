import pytest
from PIL import Image

from benchmarks.sweep import report
from benchmarks.sweep.runner import Outcome
from benchmarks.sweep.search import DEFAULT, Result, Trial
from tests.benchmarks.sweep.conftest import CONFIG

RATE, SIZE = CONFIG["parameters"]


def trial(number, value, state="finished", size=2):
    history = [] if state == "failed" else [value + 0.1, value]
    outcome = Outcome(state, history, "it broke" if state == "failed" else "")
    return Trial(f"trial-{number:03}", {RATE: 1e-3 * (number + 1), SIZE: size}, outcome)


def result(default=(0.5, 0.52), best=(0.4, 0.41)):
    trials = [trial(0, 0.5, size=9), trial(1, 0.45, "stopped"), trial(2, 0.0, "failed")]
    trials.append(trial(3, 0.39, size=4))

    def repeats(values):
        return [
            Outcome("failed", [], "x") if v is None else Outcome("finished", [v]) for v in values
        ]

    return Result(trials, trials[3], {DEFAULT: repeats(default), "trial-003": repeats(best)})


@pytest.mark.parametrize(
    ("default", "best", "said"),
    [
        ((0.50, 0.52), (0.40, 0.41), "The gain holds"),
        ((0.50, 0.52), (0.40, 0.51), "The gain is not shown"),
        ((0.50, 0.52), (0.55, 0.51), "The gain does not hold"),
        ((0.50, 0.50), (0.50, 0.50), "The gain does not hold"),
        ((0.50, None), (0.40, 0.41), "is open"),
    ],
)
def test_the_sentence_claims_no_more_than_the_new_seeds_show(space, default, best, said):
    found = report.verdict(space(), result(default, best))
    sentences = ("The gain holds", "is not shown", "does not hold", "is open")
    assert said in found
    assert sum(each in found for each in sentences) == 1


def test_where_the_metric_is_to_be_large_the_sentence_turns_round(space):
    most = space(metric={"name": "val/psnr", "goal": "maximize"})
    assert "does not hold" in report.verdict(most, result())
    assert "The gain holds" in report.verdict(most, result((0.4, 0.41), (0.5, 0.52)))


def test_a_default_that_is_best_is_said_so(space):
    trials = [trial(0, 0.3), trial(1, 0.4)]
    assert "nothing was gained" in report.verdict(space(), Result(trials, trials[0], {}))


def test_table_and_picture(space, tmp_path):
    text = report.write(space(), result(), 0, tmp_path)
    assert (tmp_path / "table.md").read_text() == text
    lines = text.splitlines()
    assert lines[0] == "| trial | ended | epochs | val/l1 | rate | size |"
    assert lines[2] == "| trial-000 (default) | finished | 2 | 0.500000 | 0.001 | 9 |"
    assert lines[3] == "| trial-001 | stopped | 2 | 0.450000 | 0.002 | 2 |"
    assert lines[4] == "| trial-002 | failed | 0 |  | 0.003 | 2 |"
    bold = "| **trial-003** | **finished** | **2** | **0.390000** | **0.004** | **4** |"
    assert lines[5] == bold
    assert "- trial-002 failed: it broke" in lines
    assert "| trial-000 (default) | 0.500000 | 0.500000 | 0.520000 | 0.510000 |" in lines
    assert "| trial-003 | 0.390000 | 0.400000 | 0.410000 | 0.405000 |" in lines
    assert "`--model.init_args.rate=0.004 --model.init_args.size=4`" in text
    with Image.open(tmp_path / "sweep.png") as picture:
        assert picture.width > 2 * picture.height  # three panels
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert {path.name for path in tmp_path.iterdir()} >= {"table.md", "sweep.png"}
    assert not list(tmp_path.glob("*.part*"))
