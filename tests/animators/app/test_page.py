"""The page's handlers, called as the browser would; without a browser."""

import os
import re

import numpy as np
import pytest

from animators.animator import Direction
from animators.app.edits import Edits
from animators.app.studio import Studio, find_checkpoints
from animators.commands import animate, app, edit
from datamodules import media

NAMED = "lia_x/checkpoints/best.ckpt"


@pytest.fixture(autouse=True)
def gr(extra):
    return extra("gradio", "app")


@pytest.fixture
def studio(tmp_path):
    return Studio("cpu", tmp_path / "results")


@pytest.fixture
def editor(gr, studio):
    from animators.app.editor import Editor, Setting

    with gr.Blocks(analytics_enabled=False):
        return Editor(Setting(studio, gr.State(None), gr.Textbox()), gr.Image())


@pytest.fixture
def tabs(gr, studio):
    """The animate tab and the video tab."""
    from animators.app.editor import Setting
    from animators.app.tabs import AnimateTab, VideoTab

    with gr.Blocks(analytics_enabled=False):
        setting = Setting(studio, gr.State(None), gr.Textbox())
        return AnimateTab(setting), VideoTab(setting)


def picture(path):
    with media.open_clip(path) as clip:
        return clip.read([0])[0]


def command_error(capsys, main, *words):
    """The line that a command says of the same mistake."""
    assert main([str(word) for word in words]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1].removeprefix("error: ")


def test_a_slider_makes_the_picture_of_the_edit_command(editor, runs, uploads):
    given = (str(runs / NAMED), "square", str(uploads.me))
    edits, after, undo = editor.slide("yaw", False, Edits(), *given, 0.1)
    edits, after, undo = editor.slide("yaw", True, edits, *given, 0.3)
    edits, after, undo = editor.slide("d4", True, edits, *given, -0.25)
    made = uploads.folder / "out.png"
    words = ["--checkpoint", runs / NAMED, "--source", uploads.me, "--output", made]
    words += ["--device", "cpu", "--set", "yaw=0.3", "d4=-0.25"]
    assert edit.main([str(word) for word in words]) == 0
    np.testing.assert_array_equal(after, picture(made))
    assert undo["interactive"]


def test_undo_gives_the_picture_before_and_sets_the_sliders_back(editor, runs, uploads):
    given = (str(runs / NAMED), "square", str(uploads.me))
    edits, first, _ = editor.slide("yaw", True, Edits(), *given, 0.3)
    edits, second, _ = editor.slide("mouth", True, edits, *given, 0.4)
    assert np.abs(first.astype(int) - second).max() > 1
    names = ["yaw", "mouth", "d0"]
    edits, after, undo, *amounts = editor.change(names, Edits.undo, edits, *given)
    np.testing.assert_array_equal(after, first)
    assert amounts == [0.3, 0.0, 0.0]
    assert not undo["interactive"]
    edits, after, undo, *amounts = editor.change(names, Edits.clear, edits, *given)
    np.testing.assert_array_equal(
        after, editor.pair(Edits(), str(runs / NAMED), "square", given[2])[1]
    )
    assert amounts == [0.0, 0.0, 0.0]
    assert undo["interactive"]


def test_without_a_source_or_without_directions_there_is_nothing_to_show(editor, runs, uploads):
    edits, after, _ = editor.slide("yaw", True, Edits(), str(runs / NAMED), "square", None, 0.3)
    assert after is None
    assert edits.amounts == {"yaw": 0.3}
    plain = str(runs / "fomm/checkpoints/last.ckpt")
    assert editor.pair(Edits(), plain, "square", str(uploads.me)) == (None, None)
    assert editor.pair(Edits(), None, "square", str(uploads.me)) == (None, None)


def test_named_directions_come_first_and_ranges_hold_0(studio, runs):
    from animators.app.editor import FIRST, grouped, limits

    first, others = grouped(studio.open(runs / NAMED).directions)
    assert list(first) == ["yaw", "mouth"]
    assert list(others) == ["d0", "d2", "d4"]
    assert limits(first["yaw"]) == (-1.0, 0.5)
    assert limits(first["mouth"]) == (0.0, 0.4)
    assert limits(Direction(0, -3, -1)) == (-3, 0.0)
    first, others = grouped(studio.open(runs / "lia/checkpoints/best.ckpt").directions)
    assert list(first) == [f"d{i}" for i in range(FIRST)]
    assert len(first) + len(others) == 12


@pytest.mark.parametrize("name", ["text_png", "empty_png", "cut_mp4", "words_txt"])
def test_a_bad_upload_is_emptied_with_the_words_of_the_command(
    name, gr, runs, uploads, capsys, monkeypatch
):
    from animators.app.messages import check_upload, shown

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads.folder))
    bad = getattr(uploads, name)
    common = ["--checkpoint", runs / NAMED, "--output", uploads.folder / "o.mp4"]
    if bad.suffix == ".png":
        kind, role = "picture", ["--source", bad, "--driving", uploads.clip]
    else:
        kind, role = "clip", ["--source", uploads.me, "--driving", bad]
    said = command_error(capsys, animate.main, *common, *role)
    assert str(bad) in said
    with pytest.warns(UserWarning, match=re.escape(bad.name)) as told:
        assert check_upload({"path": str(bad)}, kind) is None
    assert shown(ValueError(said)) == str(told[0].message)
    assert str(uploads.folder) not in str(told[0].message)
    good = uploads.me if kind == "picture" else uploads.clip
    assert check_upload({"path": str(good)}, kind) == gr.skip()
    assert check_upload(None, kind) is None
    # a file of this computer that nobody uploaded is not even looked at
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads.folder / "elsewhere"))
    assert check_upload({"path": str(good)}, kind) is None


def test_a_checkpoint_decides_what_the_page_offers(gr, studio, runs):
    from animators.app.page import Doors, choose

    def chosen(name):
        given = choose(studio, str(runs / name), None)
        return Doors(*given[: len(Doors._fields) - 1], given[len(Doors._fields) - 1 :])

    named = chosen(NAMED)
    assert "5 motion directions" in named.about
    assert named.picture["interactive"]
    assert named.mode["choices"] == ["relative", "absolute"]
    assert not named.references["visible"]
    assert named.edits == [Edits()] * 3
    plain = chosen("fomm/checkpoints/last.ckpt")
    assert "wants an animator with motion directions" in plain.about
    assert not plain.picture["interactive"]
    assert not plain.video["interactive"]
    assert not plain.editing["visible"]
    assert plain.tabs["selected"] == "animate"
    assert chosen("dime.ckpt").references["visible"]


@pytest.mark.parametrize("name", ["foreign.pth", "code.pth", "gone.ckpt"])
def test_a_foreign_checkpoint_is_told_and_the_one_before_stays(
    name, gr, studio, runs, uploads, capsys
):
    from animators.app.page import choose

    words = ["--source", uploads.me, "--output", uploads.folder / "o.png", "--set", "0=1"]
    said = command_error(capsys, edit.main, "--checkpoint", runs / name, *words)
    with pytest.warns(UserWarning, match=re.escape(said)):
        updates = choose(studio, str(runs / name), "before.ckpt")
    assert updates[0] == gr.skip()
    assert updates[1]["value"] == "before.ckpt"
    assert all(update == gr.skip() for update in updates[2:])
    assert all(update == gr.skip() for update in choose(studio, None, None))


def test_films_come_from_both_tabs_and_mistakes_are_errors_of_the_page(gr, tabs, runs, uploads):
    from animators.app.messages import telling

    moving, editing = tabs
    named, me, clip = str(runs / NAMED), str(uploads.me), str(uploads.clip)
    edits = Edits().move("yaw", 0.3)
    film = moving.animate(edits, named, "square", me, clip, None, "relative", "best", True)
    assert media.open_clip(film).size == (64, 3 * 64)
    film = editing.edit(edits, named, "0,0, 60", clip, False)
    assert media.open_clip(film).size == (64, 64)
    # a reference frame that was chosen for relative mode is no mistake in another
    assert moving.animate(Edits(), named, "square", me, clip, None, "absolute", "best", False)
    for said, call in (
        ("picture and a driving clip first", (edits, named, "square", me, None, None)),
        ("in relative mode only", (edits, named, "square", me, clip, None)),
        ("none of: none, square", (Edits(), named, "round", me, clip, None)),
        ("no references, got 1", (Edits(), named, "square", me, clip, [str(uploads.you)])),
        ("not square", (Edits(), named, "none", me, clip, None)),
    ):
        with pytest.raises(gr.Error, match=said) as told:
            telling(moving.animate)(*call, "absolute", "first", True)
        assert not told.value.print_exception
    with pytest.raises(gr.Error, match="a clip first"):
        telling(editing.edit)(edits, named, "square", None, True)


def test_the_page_asks_nothing_of_the_network(gr, studio, runs):
    from animators.app.page import build
    from animators.app.style import theme

    page = build(studio, find_checkpoints(runs), runs)
    assert not page.analytics_enabled
    labels = {block.label for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert labels == {"Animate", "Edit picture", "Edit video"}
    looks = theme()
    # pictures are within the style; the http in them is the name of what SVG is
    assert not re.findall(r"""@import|url\((?!["']?data:)""", looks._get_theme_css())
    assert not looks._stylesheets
    empty = build(studio, {}, runs)
    said = [block.value for block in empty.blocks.values() if isinstance(block, gr.Markdown)]
    assert any("No checkpoint was found" in text for text in said)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("my.pc", False)],
)
def test_the_path_of_any_checkpoint_is_taken_from_this_computer_alone(
    host, alone, gr, runs, monkeypatch
):
    from animators.app import serving

    shown = []

    def launch(page, **options):
        shown.append((page, options))
        page.local_url = "address"

    monkeypatch.setattr(gr.Blocks, "launch", launch)
    with serving.served(runs, runs / NAMED, "cpu", host, None) as (_, studio):
        page, options = shown[0]
        assert options["server_name"] == host
        assert not options["share"]
        picker = next(block for block in page.blocks.values() if block.elem_id == "checkpoint")
        assert picker.allow_custom_value == alone
        assert (studio.offered is None) == alone
        assert studio.open(runs / "lia/checkpoints/best.ckpt")


def test_files_of_the_page_go_with_it(monkeypatch):
    from animators.app.serving import temporary_folder

    monkeypatch.setenv("GRADIO_TEMP_DIR", "before")
    with temporary_folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        (folder / "upload").mkdir()
        (folder / "upload/me.png").write_bytes(b"x")
    assert not folder.exists()
    assert os.environ["GRADIO_TEMP_DIR"] == "before"


def test_a_bad_start_is_one_line(runs, capsys):
    for words, said in (
        (["--checkpoint", runs / "gone.ckpt"], "does not exist"),
        (["--checkpoint", runs / "foreign.pth"], "no checkpoint of this project"),
        (["--port", "high"], "1 to 65535"),
        (["--share"], "unrecognized"),
    ):
        assert said in command_error(capsys, app.main, *words)


def test_without_gradio_the_command_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr("animators.commands.app.find_spec", lambda name: None)
    assert command_error(capsys, app.main).endswith("missing: pip install -e .[app]")
