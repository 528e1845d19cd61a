"""Further pictures of what the source shows: `animate --references` on a tiny DiME."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animators.commands import animate
from animators.weights import load_animator, save_animator
from datamodules import media
from tests.animators.tiny import tiny_animator

SIZE = 32


def checkpoint(folder, name):
    path = folder / f"{name}.ckpt"
    save_animator(tiny_animator(name), path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: str(checkpoint(folder, name)) for name in ("dime", "fomm")}


@pytest.fixture
def files(models, tmp_path):
    """Pictures of several shapes, a clip of 5 frames, and the command line to begin with."""
    rng = np.random.default_rng(0)

    def draw(width, height):
        coarse = Image.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8))
        return coarse.resize((width, height), Image.Resampling.BICUBIC)

    draw(90, 60).save(tmp_path / "me.png")
    for name, shape in {"a": (50, 70), "b": (64, 64), "c": (40, 32)}.items():
        draw(*shape).save(tmp_path / f"{name}.png")
    with media.ClipWriter(tmp_path / "clip.mp4", Fraction(25)) as writer:
        for _ in range(5):
            writer.write(np.asarray(draw(80, 64)))
    return {
        "--checkpoint": models["dime"],
        "--source": str(tmp_path / "me.png"),
        "--driving": str(tmp_path / "clip.mp4"),
        "--output": str(tmp_path / "out.png"),
        "--device": "cpu",
    }


def argv(files, references, *extra, **changes):
    merged = files | {f"--{k}": str(v) for k, v in changes.items()}
    words = [word for pair in merged.items() for word in pair] + list(extra)
    return [*words, "--references", *map(str, references)] if references else words


def one_line(capsys):
    lines = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert len(lines) == 1
    return lines[0]


def square(path):
    """What the command shows the animator of a clip or picture, (n, 3, S, S)."""
    with media.open_clip(path) as clip:
        frames = clip.read(range(clip.num_frames))
    return media.to_float(media.to_tensor(media.resize(media.crop_square(frames), SIZE)))


def frames(path):
    with media.open_clip(path) as clip:
        return media.to_tensor(clip.read(range(clip.num_frames))).int()


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
@pytest.mark.parametrize(
    ("mode", "reference"),
    [("relative", "first"), ("relative", "best"), ("relative", "3"), ("absolute", "first")],
)
def test_the_command_gives_what_animate_gives_with_references(
    names, mode, reference, files, tmp_path
):
    """Lossless pictures, so that the comparison is exact up to rounding."""
    paths = [tmp_path / f"{name}.png" for name in names]
    extra = ["--mode", mode, "--reference-frame", reference, "--chunk", "2"]
    assert animate.main(argv(files, paths, *extra)) == 0
    got = frames(tmp_path / "out")
    model = load_animator(files["--checkpoint"], device="cpu")
    source, driving = square(files["--source"]), square(files["--driving"])[None]
    views = torch.cat([square(path) for path in paths])[None]
    options = {"mode": mode, "reference": int(reference) if reference == "3" else reference}
    wanted = model.animate(source, driving, views, **options)
    assert (got - media.to_uint8(wanted[0]).int()).abs().max() <= 1
    alone = model.animate(source, driving, **options)
    assert (got - media.to_uint8(alone[0]).int()).abs().max() > 2


def test_side_by_side_shows_all_references_in_one_square(files, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("a", "b", "c")]
    assert animate.main(argv(files, paths, "--side-by-side")) == 0
    row = media.to_float(frames(tmp_path / "out")[2].byte())
    assert row.shape == (3, SIZE, 4 * SIZE)
    parts = row.unflatten(2, (4, SIZE)).unbind(2)
    half = SIZE // 2
    shown = {
        "source": (parts[0], square(files["--source"])[0]),
        "driving": (parts[2], square(files["--driving"])[2]),
        "no fourth": (parts[1][:, half:, half:], torch.zeros(3, half, half)),
    }
    for place, path in enumerate(paths):
        top, left = half * (place // 2), half * (place % 2)
        # antialiased halving of a smooth picture is close to the mean of four pixels
        wanted = torch.nn.functional.avg_pool2d(square(path), 2)[0]
        shown[path.stem] = (parts[1][:, top : top + half, left : left + half], wanted)
    for name, (got, wanted) in shown.items():
        assert (got - wanted).abs().mean() < 0.02, name


def test_one_reference_is_shown_as_large_as_the_source(files, tmp_path):
    assert animate.main(argv(files, [tmp_path / "a.png"], "--side-by-side")) == 0
    row = media.to_float(frames(tmp_path / "out")[0].byte())
    assert row.shape == (3, SIZE, 4 * SIZE)
    assert (row[:, :, SIZE : 2 * SIZE] - square(tmp_path / "a.png")[0]).abs().max() < 0.01


def test_references_are_cropped_as_the_source(files, tmp_path, capsys):
    paths = [tmp_path / "b.png"]
    assert animate.main(argv(files, paths, "--side-by-side", crop="20,10,40")) == 0
    shown = media.to_float(frames(tmp_path / "out")[0].byte())[:, :, SIZE : 2 * SIZE]
    cut = media.crop_box(media.read_image(paths[0])[None], (20, 10, 40))
    wanted = media.to_float(media.to_tensor(media.resize(cut, SIZE)))[0]
    assert (shown - wanted).abs().max() < 0.01
    assert animate.main(argv(files, [*paths, tmp_path / "c.png"], crop="20,10,40")) == 2
    assert "c.png" in one_line(capsys)
    # only the reference is not square
    changes = {"crop": "none", "driving-crop": "square", "source": tmp_path / "b.png"}
    assert animate.main(argv(files, [tmp_path / "a.png"], **changes)) == 2
    said = one_line(capsys)
    assert "a.png is 50x70, not square" in said
    assert "--crop square" in said


def test_one_shot_animators_refuse_references_before_a_picture_is_read(
    files, models, tmp_path, capsys
):
    nowhere = tmp_path / "nowhere.png"
    changes = {"checkpoint": models["fomm"], "source": nowhere, "output": tmp_path / "new/out.mp4"}
    assert animate.main(argv(files, [nowhere, nowhere], **changes)) == 2
    said = one_line(capsys)
    for word in ("Fomm takes one source view", "got 2", "leave --references out", "dime"):
        assert word in said
    assert not (tmp_path / "new").exists()
    assert animate.main(argv(files, [], checkpoint=models["fomm"])) == 0


@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "text", "folder"])
def test_a_bad_reference_is_named(kind, files, tmp_path, capsys):
    path = tmp_path / "bad.png"
    data = (tmp_path / "a.png").read_bytes()
    content = {"empty": b"", "truncated": data[: len(data) // 3], "text": b"words" * 99}
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(content[kind])
    output = tmp_path / "new" / "out.mp4"
    assert animate.main(argv(files, [tmp_path / "a.png", path], output=output)) == 2
    assert "bad.png" in one_line(capsys)
    assert not output.parent.exists()


def test_an_output_that_is_a_reference_is_refused(files, tmp_path, capsys):
    path = tmp_path / "b.png"
    before = path.read_bytes()
    assert animate.main(argv(files, [tmp_path / "a.png", path], output=path)) == 2
    assert f"output {path} is an input" in one_line(capsys)
    assert path.read_bytes() == before


def test_references_without_a_picture_are_refused(files, capsys):
    assert animate.main([*argv(files, []), "--references"]) == 2
    assert "--references" in one_line(capsys)
