"""The page in a real browser without a window, as `tests/animators/app/test_browser.py` has it."""

import os
import shutil

import pytest

from benchmarks.page.command import main
from tests.animators.app.test_browser import BROWSERS
from tests.benchmarks.page.conftest import ODD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = "[...document.querySelector('table').tBodies[0].rows].map((r) => r.cells[0].textContent)"
FILMS = "[...document.querySelectorAll('video')]"


@pytest.fixture(scope="module")
def browser(extra, absent):
    sync_api = extra("playwright.sync_api", "app-test")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        absent(f"there is no browser: one of {', '.join(BROWSERS)}, as of apt-get install chromium")
    # chromium refuses its sandbox to root
    switches = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=switches)
        yield opened
        opened.close()


@pytest.fixture(params=[(1280, "light"), (420, "dark")])
def tab(browser, records, filmed, tmp_path, request):
    width, scheme = request.param
    output = tmp_path / "page.html"
    films = [str(filmed.rebuilt), str(filmed.crossed)]
    assert main(["--records", *map(str, records), "--films", *films, "--output", str(output)]) == 0
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, said = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(output.as_uri())
    opened.wait_for_function(f"{FILMS}.every((film) => film.readyState >= 2)")
    yield opened
    assert [url for url in asked if not url.startswith("data:")] == [output.as_uri()]
    assert said == []  # the policy's refusals would stand here
    opened.close()


def test_sorting_by_keyboard(tab):
    before = tab.evaluate(ROWS)
    assert before[0] == "copy-source"
    tab.locator("table").first.locator("button.sort").nth(1).focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate(ROWS) == ["tpsmm", ODD, "copy-source", "fomm"]
    tab.keyboard.press("Enter")
    assert tab.evaluate(ROWS) == ["fomm", "copy-source", ODD, "tpsmm"]
    head = tab.locator("table").first.locator("th").nth(1)
    assert head.get_attribute("aria-sort") == "descending"
    assert tab.locator("tr.copied th").first.text_content() == "copy-source"


def test_missing_numbers_come_last(tab):
    head = tab.locator("table").first.locator("button.sort", has_text="pairs seen")
    for _ in range(2):
        head.click()
        assert tab.evaluate(ROWS)[-1] == "copy-source"


def test_choosing_a_metric(tab):
    charts = tab.locator(".chart")
    assert [charts.nth(k).is_visible() for k in (0, 1)] == [True, False]
    tab.locator("select.metric").select_option("1")
    assert [charts.nth(k).is_visible() for k in (0, 1)] == [False, True]


def test_films_play_together(tab):
    assert tab.evaluate(f"{FILMS}.every((film) => film.error === null && film.paused)")
    tab.locator("#speed").select_option("0.25")
    tab.locator("#play").click()
    tab.wait_for_function(f"{FILMS}.every((film) => !film.paused && film.currentTime > 0)")
    assert tab.evaluate(f"{FILMS}.map((film) => film.playbackRate)") == [0.25] * 3
    assert tab.locator("#play").text_content() == "Pause all"
    tab.locator("#play").click()
    tab.wait_for_function(f"{FILMS}.every((film) => film.paused)")
    tab.locator("#position").fill("500")
    shares = tab.evaluate(f"{FILMS}.map((film) => film.currentTime / film.duration)")
    assert shares == pytest.approx([0.5] * 3, abs=0.01)


def test_nothing_sticks_out(tab):
    width = tab.viewport_size["width"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    columns, film = tab.locator(".labels span"), tab.locator("video").first.bounding_box()
    for k in range(4):  # each label above its column
        box = columns.nth(k).bounding_box()
        middle = film["x"] + film["width"] * (k + 0.5) / 4
        assert box["x"] + box["width"] / 2 == pytest.approx(middle, abs=1)
