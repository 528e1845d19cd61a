import pytest

from benchmarks.page.charts import draw, extent, ticks
from benchmarks.page.numbers import Bar, Chart
from benchmarks.report.statistics import Standing

BARS = [
    Bar("one", 0.5, (0.4, 0.7), Standing.BEST),
    Bar("two <&", 1.0, None, Standing.NEAR),
    Bar("three", 0.25, (0.2, 0.3), Standing.BEHIND),
]
CHART = Chart("l1", False, BARS, 0.8)


def share(text):
    return float(text.removesuffix("%"))


def parts(drawn, kind):
    return [one for one in drawn.iter() if one.get("class") == kind]


def test_lengths_are_in_proportion_to_the_values():
    widths = [share(one.get("width")) for one in draw(CHART).iter("rect")]
    assert widths[1] / widths[0] == pytest.approx(2, rel=1e-3)
    assert widths[0] / widths[2] == pytest.approx(2, rel=1e-3)
    assert 85 < widths[1] < 100


def test_whiskers_end_where_the_interval_does():
    drawn = draw(CHART)
    unit = share(next(drawn.iter("rect")).get("width")) / 0.5
    first, *_ = parts(drawn, "whisker")
    assert share(first.get("x1")) == pytest.approx(0.4 * unit, rel=1e-3)
    assert share(first.get("x2")) == pytest.approx(0.7 * unit, rel=1e-3)
    assert len(parts(drawn, "whisker")) == 2 * 3  # a bar without an interval has none


def test_copy_source_is_a_line_and_no_bar():
    drawn = draw(CHART)
    (line,) = parts(drawn, "copied")
    unit = share(next(drawn.iter("rect")).get("width")) / 0.5
    assert line.get("x1") == line.get("x2")
    assert share(line.get("x1")) == pytest.approx(0.8 * unit, rel=1e-3)
    assert len(list(drawn.iter("rect"))) == 3
    assert not parts(draw(Chart("l1", False, BARS, None)), "copied")


def test_standings():
    drawn = draw(CHART)
    assert len(parts(drawn, "bar best")) == len(parts(drawn, "bar near")) == 1
    values = [one.text for one in parts(drawn, "value")]
    assert values == ["0.5000 [0.4000, 0.7000]", "≈ 1.0000", "0.2500 [0.2000, 0.3000]"]


def test_values_below_zero_reach_to_the_left_of_it():
    drawn = draw(Chart("csim", True, [Bar("a", -0.5, None, Standing.NONE), *BARS], None))
    below, above, *_ = drawn.iter("rect")
    zero = share(above.get("x"))
    assert share(below.get("x")) + share(below.get("width")) == pytest.approx(zero, abs=0.01)
    assert zero > 20


def test_all_zeros_have_an_axis():
    assert extent(Chart("l1", False, [Bar("a", 0.0, None, Standing.NONE)], 0.0)) == (0, 1)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0, 1, [0, 0.5, 1]), (0, 0.09, [0, 0.05]), (-1, 2.9, [-1, 0, 1, 2]), (0, 33, [0, 10, 20, 30])],
)
def test_ticks_are_round(low, high, wanted):
    assert ticks(low, high) == pytest.approx(wanted)
