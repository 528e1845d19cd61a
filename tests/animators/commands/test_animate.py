"""The streaming commands on a tiny LIA: results, and everything a user can get wrong."""

import pickle
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animators.commands import animate, edit, manipulate
from animators.lia import Lia
from animators.weights import load_animator, save_animator
from datamodules import media

SIZE = 64


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny LIA whose motion shows."""
    torch.manual_seed(0)
    model = Lia.for_inference(
        {
            "image_size": SIZE,
            "latent_dim": 16,
            "motion_dim": 4,
            "channel_multiplier": 1 / 32,
            "dictionary": True,
        }
    )
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    path = tmp_path_factory.mktemp("model") / "tiny.ckpt"
    save_animator(model, path)
    return path


@pytest.fixture
def files(checkpoint, tmp_path):
    """A picture that is not square, a clip of 7 frames, and the command line to begin with."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC).save(tmp_path / "me.jpg")
    with media.ClipWriter(tmp_path / "clip.mp4", Fraction(30000, 1001)) as writer:
        for _ in range(7):
            small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
            writer.write(np.asarray(small.resize((96, 80), Image.Resampling.BICUBIC)))
    return {
        "--checkpoint": str(checkpoint),
        "--source": str(tmp_path / "me.jpg"),
        "--driving": str(tmp_path / "clip.mp4"),
        "--output": str(tmp_path / "out" / "result.mp4"),
        "--device": "cpu",
    }


def argv(files, *extra, **changes):
    merged = files | {f"--{k}": str(v) for k, v in changes.items()}
    return [word for pair in merged.items() for word in pair] + list(extra)


def one_line(capsys):
    lines = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert len(lines) == 1
    return lines[0]


def square(path, numbers=None):
    """What the command shows the animator of a clip or picture."""
    with media.open_clip(path) as clip:
        frames = clip.read(range(clip.num_frames) if numbers is None else numbers)
    frames = media.resize(media.crop_square(frames), SIZE)
    return media.to_float(media.to_tensor(frames))


@pytest.mark.parametrize(
    ("mode", "reference"),
    [("relative", "first"), ("relative", "best"), ("relative", "3"), ("absolute", "first")],
)
def test_the_command_gives_what_animate_gives(files, tmp_path, mode, reference):
    """Lossless pictures, so that the comparison is exact up to rounding."""
    out = tmp_path / "frames.png"
    extra = ["--mode", mode, "--reference-frame", reference, "--chunk", "2"]
    assert animate.main(argv(files, *extra, output=out)) == 0
    with media.open_clip(tmp_path / "frames") as clip:
        got = media.to_tensor(clip.read(range(7)))
    model = load_animator(files["--checkpoint"], device="cpu")
    frame = int(reference) if reference.isdigit() else reference
    wanted = model.animate(
        square(files["--source"]), square(files["--driving"])[None], mode=mode, reference=frame
    )
    assert (got.int() - media.to_uint8(wanted[0]).int()).abs().max() <= 1


def test_an_mp4_has_the_driving_clips_rate_and_length(files, capsys):
    assert animate.main(argv(files)) == 0
    with media.open_clip(files["--output"]) as clip:
        assert (clip.num_frames, clip.fps) == (7, Fraction(30000, 1001))
        assert clip.size == (SIZE, SIZE)
    said = capsys.readouterr()
    assert "7/7" in said.err  # the progress bar
    assert files["--output"] in said.out


def test_side_by_side_shows_source_driving_and_result(files, tmp_path):
    assert animate.main(argv(files, "--side-by-side", output=tmp_path / "row.png")) == 0
    with media.open_clip(tmp_path / "row") as clip:
        row = clip.read([4])[0]
    assert row.shape == (SIZE, 3 * SIZE, 3)
    source, driving = square(files["--source"])[0], square(files["--driving"], [4])[0]
    for i, picture in enumerate((source, driving)):
        shown = row[:, i * SIZE : (i + 1) * SIZE].astype(int)
        assert np.abs(shown - media.to_frames(media.to_uint8(picture)).astype(int)).max() <= 1


@pytest.mark.parametrize("driving", ["picture", "folder", "gif"])
def test_any_kind_of_driving_clip(files, tmp_path, driving):
    if driving == "picture":
        path, count = tmp_path / "me.jpg", 1
    elif driving == "gif":
        path, count = tmp_path / "clip.gif", 3
        with media.ClipWriter(path, Fraction(10)) as writer:
            for i in range(3):
                writer.write(np.full((64, 64, 3), 60 * i, np.uint8))
    else:
        path, count = tmp_path / "frames", 2
        path.mkdir()
        for i in range(2):
            Image.new("RGB", (70, 64), (90 * i, 0, 0)).save(path / f"{i}.png")
    assert animate.main(argv(files, driving=path, output=tmp_path / "a.gif")) == 0
    assert media.open_clip(tmp_path / "a.gif").num_frames == count


def test_crops(files, tmp_path, capsys):
    assert animate.main(argv(files, crop="10,5,40", output=tmp_path / "a.gif")) == 0
    assert animate.main(argv(files, crop="stretch", output=tmp_path / "b.gif")) == 0
    capsys.readouterr()
    assert animate.main(argv(files, crop="none")) == 2
    assert "--crop stretch" in one_line(capsys)
    assert animate.main(argv(files, crop="80,0,40")) == 2
    assert "90x60" in one_line(capsys)
    assert animate.main(argv(files, "--driving-crop", "none")) == 2
    assert "clip.mp4 is 96x80, not square" in one_line(capsys)
    assert animate.main(argv(files, crop="middle")) == 2


class Poison:
    def __reduce__(self):
        return (eval, ("1/0",))


def spoil(kind, path, checkpoint):
    """Make a file that is no good in one of many ways."""
    data = checkpoint.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "text":
        path.write_text("not a file of this kind")
    elif kind == "hostile":
        path.write_bytes(pickle.dumps(Poison()))
    elif kind == "foreign":
        torch.save({"gen": {"a": torch.zeros(1)}}, path)
    else:
        state = torch.load(checkpoint, weights_only=True)
        if kind == "old":
            state["animator"]["format"] = 0
        elif kind == "nan":
            state["state_dict"]["network.decoder.constant"][:] = torch.nan
        torch.save(state, path)
    return path


@pytest.mark.parametrize("command", ["animate", "edit", "manipulate"])
@pytest.mark.parametrize(
    "kind", ["missing", "empty", "truncated", "text", "hostile", "foreign", "old", "nan"]
)
def test_bad_checkpoints(command, kind, files, checkpoint, tmp_path, capsys):
    path = tmp_path / "bad.ckpt"
    if kind != "missing":
        spoil(kind, path, checkpoint)
    run, words = {
        "animate": (animate.main, argv(files, checkpoint=path)),
        "edit": (edit.main, [*argv(_without_driving(files), checkpoint=path), "--set", "1=2"]),
        "manipulate": (manipulate.main, argv(_without_driving(files), checkpoint=path)),
    }[command]
    assert run(words) == 2
    assert "bad.ckpt" in one_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["source", "driving"])
@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "text"])
def test_bad_pictures_and_clips(option, kind, files, tmp_path, capsys):
    path = tmp_path / ("bad.jpg" if option == "source" else "bad.mp4")
    good = tmp_path / ("me.jpg" if option == "source" else "clip.mp4")
    data = good.read_bytes()
    content = {"empty": b"", "truncated": data[: len(data) // 3], "text": b"words" * 99}
    if kind != "missing":
        path.write_bytes(content[kind])
    assert animate.main(argv(files, **{option: path})) == 2
    assert path.name in one_line(capsys)
    assert not list(tmp_path.rglob("*result*"))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--mode", "sideways"], "relative"),
        (["--mode", "avd"], "not one of this animator's"),
        (["--reference-frame", "7"], "0 to 6"),
        (["--reference-frame", "-1"], "0 to 6"),
        (["--mode=absolute", "--reference-frame", "best"], "no meaning in absolute mode"),
        (["--mode=avd", "--reference-frame", "2"], "no meaning in avd mode"),
        (["--chunk", "0"], "at least 1"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_bad_options(extra, said, files, capsys, tmp_path):
    *alone, option, value = extra
    assert animate.main(argv(files, *alone, f"{option}={value}")) == 2
    assert said in one_line(capsys)
    assert not list(tmp_path.rglob("*result*"))


def test_outputs_that_would_harm(files, tmp_path, capsys):
    for output, said in [
        ("me.jpg", "must end in"),
        ("clip.mp4", "is an input"),
        ("out.avi", "avi"),
    ]:
        assert animate.main(argv(files, output=tmp_path / output)) == 2
        assert said in one_line(capsys)
    assert media.open_clip(tmp_path / "clip.mp4").num_frames == 7


def test_memory_does_not_grow_with_the_clip(files, tmp_path):
    peaks = []
    for count in (20, 200):
        path = tmp_path / f"long{count}.mp4"
        with media.ClipWriter(path, Fraction(25)) as writer:
            for i in range(count):
                writer.write(np.full((64, 64, 3), i, np.uint8))
        tracemalloc.start()
        assert animate.main(argv(files, driving=path, output=tmp_path / "o.mp4")) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    frame = 64 * 64 * 3
    assert peaks[1] - peaks[0] < 60 * frame  # 180 frames more


def _without_driving(files):
    return {k: v for k, v in files.items() if k != "--driving"}
