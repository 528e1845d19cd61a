import json

import pytest
import torch

from benchmarks.page.films import main, mosaic
from benchmarks.page.index import read_index
from datamodules import media


def test_mosaic_puts_clips_beside_each_other_and_differences_below():
    driving, made = torch.rand(2, 3, 3, 4, 128)
    first, second = mosaic([driving, made], driving).chunk(2, dim=3)
    assert torch.equal(first[:, :, :4], driving)
    assert torch.equal(second[:, :, :4], made)
    assert not first[:, :, 4:].any()
    assert torch.equal(second[:, :, 4:], (2 * (made - driving).abs()).clamp(max=1))


def test_mosaic_of_two_identities_has_no_differences():
    assert mosaic([torch.rand(2, 3, 128, 128)] * 3).shape == (2, 3, 128, 384)


def test_small_pictures_are_enlarged_pixel_by_pixel():
    clip = torch.rand(2, 3, 64, 64)
    large = mosaic([clip])
    assert large.shape == (2, 3, 128, 128)
    for row in (0, 1):
        for column in (0, 1):
            assert torch.equal(large[:, :, row::2, column::2], clip)


def test_rebuilt_clips(filmed):
    index = read_index(filmed.rebuilt)
    assert index.mode is None
    assert len(index.films) == 2
    for film in index.films:
        assert film.columns[:2] == ["source", "driving"]
        assert len(film.columns) == 4
        with media.open_clip(filmed.rebuilt / film.file) as clip:
            assert clip.size == (2 * 128, 4 * 128)
            assert clip.num_frames == film.frames == 4
            frames = list(clip)
        # the source column stands still and is the driving column's first picture
        source, driving = (frames[k][:128, :128].astype(int) for k in (3, 0))
        beside = frames[0][:128, 128:256].astype(int)
        assert abs(source - driving).mean() < 3
        assert abs(beside - driving).mean() < 3
        for one in film.pictures:
            for name in (one.field, one.difference):
                assert media.read_image(filmed.rebuilt / name).shape == (64, 64, 3)
        # both columns are one checkpoint
        same = [(filmed.rebuilt / one.field).read_bytes() for one in film.pictures]
        assert same[0] == same[1]


def test_cross_identity_pairs_have_fields_but_no_differences(filmed):
    index = read_index(filmed.crossed)
    assert index.mode == "relative"
    (film,) = index.films
    assert " moved by " in film.name
    assert all(one.field and one.difference is None for one in film.pictures)
    with media.open_clip(filmed.crossed / film.file) as clip:
        assert clip.size == (128, 4 * 128)


def test_the_index_says_what_was_filmed(filmed):
    told = json.loads((filmed.rebuilt / "index.json").read_text())
    assert told["provenance"]["device"]
    assert told["command"].startswith("python -m benchmarks films --checkpoint ")
    assert {len(one["sha256"]) for one in told["models"].values()} == {64}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--clips", "9"], "--clips must be 1 to 8"),
        (["--clips", "0"], "--clips must be 1 to 8"),
        (["--crf", "52"], "--crf must be 0 to 51"),
        (["--mode", "relative"], "--mode goes with --cross"),
        (["--cross", "--clips", "2", "--mode", "avd"], "'avd' is not one of this animator's"),
    ],
)
def test_bad_options(toy, tmp_path, fails, words, says):
    assert says in fails(main, *toy, *words, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_names(toy, checkpoint, tmp_path, fails):
    rest = [*toy[2:], "--output", str(tmp_path / "out")]
    for names in ((f"a={checkpoint}", f"a={checkpoint}"), (f"={checkpoint}",)):
        assert "a column cannot be called" in fails(main, "--checkpoint", *names, *rest)
    assert "best.ckpt" in fails(main, "--checkpoint", f"a={tmp_path}", *rest)
