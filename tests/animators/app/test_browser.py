"""The page in a real browser without a window: a chromium that is installed, driven by playwright.

`pip install -e .[app-test]` and `apt-get install chromium` bring what it wants.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animators.commands import edit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WAIT = 60_000  # milliseconds
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHANGES = "([image, before]) => image.src && image.src !== before"


@pytest.fixture(scope="module")
def served_page(extra, runs):
    """The address of a page that is served while the tests last."""
    extra("gradio", "app")
    from animators.app.serving import served

    first = runs / "lia_x/checkpoints/best.ckpt"
    with served(runs, first, "cpu", "127.0.0.1", None) as (address, _):
        yield address


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


class Page:
    """What a user sees and does on the page."""

    def __init__(self, tab, address):
        self.tab = tab
        tab.set_default_timeout(WAIT)
        self.elsewhere = []
        tab.on("request", self._note)
        self.address = address
        tab.goto(address)
        tab.get_by_text("motion directions").first.wait_for()

    def _note(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def open(self, name):
        self.tab.get_by_role("tab", name=name).click()
        self.place = self.tab.get_by_role("tabpanel").filter(visible=True)

    def upload(self, kind, path):
        self.place.locator(f".{kind} input[type=file]").first.set_input_files(path)

    def image(self, kind):
        """The picture that is shown, as bytes that were not scaled."""
        shown = self.place.locator(f".{kind} img")
        shown.wait_for()
        return shown.get_attribute("src")

    def pixels(self, kind):
        body = self.tab.request.get(self.image(kind)).body()
        return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))

    def changed(self, kind, before):
        image = self.place.locator(f".{kind} img").element_handle()
        self.tab.wait_for_function(CHANGES, arg=[image, before])
        return self.settled(kind)

    def settled(self, kind):
        """The picture that is left when no later one comes."""
        shown = None
        while shown != (shown := self.image(kind)):
            self.tab.wait_for_timeout(1000)
        return shown

    def slider(self, index):
        return self.place.locator(f".direction-{index}")

    def drag(self, index, share):
        """Drag a slider's knob from its middle to a share of its width."""
        knob = self.slider(index).locator("input[type=range]")
        knob.scroll_into_view_if_needed()
        box = knob.bounding_box()
        middle = box["y"] + box["height"] / 2
        self.tab.mouse.move(box["x"] + box["width"] / 2, middle)
        self.tab.mouse.down()
        for part in (0.3, 0.6, 1.0):
            along = 0.5 + part * (share - 0.5)
            self.tab.mouse.move(box["x"] + along * box["width"], middle)
        self.tab.mouse.up()

    def amount(self, index):
        return float(self.slider(index).locator("input[type=number]").input_value())

    def message(self, text):
        self.tab.locator(".toast-body", has_text=re.compile(text)).first.wait_for()
        self.tab.locator(".toast-close").first.click()

    def plays(self):
        """The film's size, after it was seen to move."""
        film = self.place.locator(".film video")
        film.wait_for()
        self.tab.wait_for_function("film => film.readyState >= 2", arg=film.element_handle())
        before = film.evaluate("film => { film.play(); return film.currentTime }")
        self.tab.wait_for_function(
            "([film, before]) => Math.abs(film.currentTime - before) > 0.2",
            arg=[film.element_handle(), before],
        )
        return film.evaluate("film => [film.videoWidth, film.videoHeight]")

    def fits(self):
        return self.tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture(params=[(1280, 800), (420, 860)], ids=["wide", "narrow"])
def page(browser, served_page, request):
    width, height = request.param
    tab = browser.new_page(viewport={"width": width, "height": height})
    user = Page(tab, served_page)
    yield user
    assert not user.elsewhere
    tab.close()


def test_a_picture_is_edited_by_sliders_and_the_last_edit_undone(page, runs, uploads):
    page.open("Edit picture")
    page.upload("source", uploads.text_png)
    page.message("text.png")
    page.upload("source", uploads.me)
    plain = page.image("after")
    page.drag(3, 0.8)
    first, amount = page.changed("after", plain), page.amount(3)
    assert 0.1 < amount < 0.4
    made = uploads.folder / "out.png"
    words = ["--checkpoint", runs / "lia_x/checkpoints/best.ckpt", "--source", uploads.me]
    words += ["--output", made, "--device", "cpu", "--set", f"yaw={amount}"]
    assert edit.main([str(word) for word in words]) == 0
    edited = np.asarray(Image.open(made))
    np.testing.assert_array_equal(page.pixels("after"), edited)
    # by the keyboard, on a direction without a name, which is folded
    page.place.get_by_text("Other directions (3)").click()
    knob = page.slider(4).locator("input[type=range]")
    knob.focus()
    for _ in range(3):
        knob.press("ArrowRight")
    second = page.changed("after", first)
    page.place.locator("button.undo").click()
    page.changed("after", second)
    page.tab.wait_for_function(
        "input => Number(input.value) === 0",
        arg=page.slider(4).locator("input[type=number]").element_handle(),
    )
    np.testing.assert_array_equal(page.pixels("after"), edited)
    assert page.amount(3) == amount
    assert page.place.locator("button.undo").is_disabled()
    page.place.locator("button.clear").click()
    page.changed("after", page.image("after"))
    assert page.amount(3) == 0
    assert page.fits()


def test_a_picture_follows_a_clip_and_the_film_plays(page, uploads):
    page.open("Animate")
    page.place.locator("button.go").click()
    page.message("a picture and a driving clip first")
    page.upload("driving", uploads.cut_mp4)
    page.message("cut.mp4")
    page.upload("source", uploads.me)
    page.upload("driving", uploads.clip)
    page.place.locator(".driving video").wait_for()
    page.place.locator("button.go").click()
    assert page.plays() == [3 * 64, 64]
    assert page.fits()


def test_a_clip_is_edited_and_the_film_plays(page, uploads):
    page.open("Edit video")
    page.upload("source", uploads.clip)
    before = page.image("after")
    page.drag(3, 0.2)
    page.changed("after", before)
    page.place.locator("button.go").click()
    assert page.plays() == [2 * 64, 64]
    assert page.fits()


def test_another_checkpoint_brings_its_own_sliders_or_none(page, runs, uploads):
    box = page.tab.locator("#checkpoint input")

    def pick(name):
        box.click()
        page.tab.get_by_role("option", name=name, exact=True).click()

    box.fill(str(runs / "foreign.pth"))
    box.press("Enter")
    page.message("no checkpoint of this project")
    page.tab.wait_for_function("document.querySelector('#checkpoint input').value === 'lia_x'")
    pick("lia")
    page.tab.get_by_text("12 motion directions").wait_for()
    page.open("Edit picture")
    page.place.get_by_text("Other directions (4)").wait_for()
    assert page.place.locator(".sliders input[type=range]").filter(visible=True).count() == 8
    pick("fomm")
    page.tab.get_by_text("animates only").wait_for()
    for name in ("Edit picture", "Edit video"):
        page.tab.get_by_role("tab", name=name, disabled=True).wait_for()
    page.open("Animate")
    page.upload("source", uploads.me)
    page.upload("driving", uploads.clip)
    page.place.locator(".driving video").wait_for()
    page.place.locator("button.go").click()
    assert page.plays() == [3 * 64, 64]


def test_a_page_that_is_told_to_end_leaves_no_file(extra, runs):
    extra("gradio", "app")
    pattern = Path(tempfile.gettempdir())
    before = set(pattern.glob("animators-app-*"))
    command = [sys.executable, "-m", "animators", "app", "--runs", str(runs), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(address) as answer:
                assert b"Image animators" in answer.read()
            assert set(pattern.glob("animators-app-*")) - before
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    deadline = time.monotonic() + 5
    while set(pattern.glob("animators-app-*")) - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not set(pattern.glob("animators-app-*")) - before
