"""Every form of a clip is read, what is read is right, and the record says what was counted.

No test here asks how fast anything is.
"""

import contextlib
import io
import json
import mmap
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from benchmarks import loader, reading, records, table
from datamodules import media
from datamodules.items import PairDataset

CLIPS, FRAMES, SIZE, PAIRS = 2, 12, 32, 6
WORDS = ["--clips", CLIPS, "--clip-frames", FRAMES, "--size", SIZE, "--pairs", PAIRS]
FORMS = ("raw", "mp4", "frames", "shards")


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    return reading.make_forms(None, tmp_path_factory.mktemp("forms"), CLIPS, FRAMES, SIZE)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What the command wrote, and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    words = [*WORDS, "--repeats", 2, "--workers", 0, 1, "--epoch-clips", 3, "--output", folder]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert loader.main([str(word) for word in words]) == 0
    (path,) = folder.iterdir()
    return SimpleNamespace(path=path, record=json.loads(path.read_text()), out=out.getvalue())


def whole(path):
    with media.open_clip(path) as clip:
        return np.stack(list(clip))


# What is read.


def test_the_plain_reader_gives_our_frames(forms):
    plain = reading.PlainClips(forms.raw)
    ours = reading.readers(forms, SIZE)["raw"]
    for i in range(CLIPS):
        for indices in ([0, 5], [11, 3], [7, 7]):
            shown = plain.pair(i, indices)
            assert shown.dtype == np.float32
            expected = np.moveaxis(ours.read(i, indices).numpy(), 1, -1)
            np.testing.assert_array_equal(shown, expected.astype(np.float32) / np.float32(255))


def test_the_plain_reader_decodes_every_frame(forms):
    plain = reading.PlainClips(forms.raw)
    plain.pair(0, [0, 1])
    plain.pair(1, [0, 1])
    assert plain.decoded == 2 * FRAMES


def test_every_form_holds_the_same_clips(forms):
    read = reading.readers(forms, SIZE)
    assert tuple(read) == FORMS
    assert {len(clips) for clips in read.values()} == {CLIPS}
    for i in range(CLIPS):
        assert {clips.num_frames(i) for clips in read.values()} == {FRAMES}
        assert {clips.fps(i) for clips in read.values()} == {25.0}
        shown = {name: clips.read(i, range(FRAMES)) for name, clips in read.items()}
        assert torch.equal(shown["frames"], shown["raw"])  # png loses nothing
        assert torch.equal(shown["shards"], shown["mp4"])
        assert not torch.equal(shown["mp4"], shown["raw"])  # it was encoded twice
        difference = shown["mp4"].float() - shown["raw"].float()
        assert difference.abs().mean() < 10
    others = read["raw"].read(0, range(FRAMES)).float() - read["raw"].read(1, range(FRAMES)).float()
    assert others.abs().mean() > 20  # two clips, not one twice


def test_bytes_are_those_of_the_disk(forms):
    assert set(forms.bytes) == set(FORMS)
    assert forms.bytes["raw"] == sum(len(path.read_bytes()) for path in forms.raw)
    assert forms.bytes["mp4"] == sum(len(path.read_bytes()) for path in forms.mp4)
    pictures = [path for folder in forms.frames for path in folder.glob("*.png")]
    assert len(pictures) == CLIPS * FRAMES
    assert forms.bytes["frames"] == sum(len(path.read_bytes()) for path in pictures)
    assert forms.bytes["shards"] > forms.bytes["mp4"]


def test_psnr_is_the_mean_of_the_frames(forms):
    values = [
        peak_signal_noise_ratio(x, y, data_range=255)
        for raw, mp4 in zip(forms.raw, forms.mp4, strict=True)
        for x, y in zip(whole(raw), whole(mp4), strict=True)
    ]
    assert len(values) == CLIPS * FRAMES
    assert forms.psnr == pytest.approx(np.mean(values))
    assert 20 < forms.psnr < 60
    # equal frames: an error of 1e-10 is put in the place of none
    assert reading.psnr(forms.raw, forms.raw) == pytest.approx(20 * np.log10(255) + 100)


def test_own_clips_are_shown_there_and_back(forms, tmp_path):
    """Four frames become ten: 0 1 2 3 2 1 0 1 2 3."""
    path = tmp_path / "a.mp4"
    with media.ClipWriter(path, Fraction(25)) as writer:
        for shade in (20, 90, 160, 230):
            writer.write(np.full((40, 60, 3), shade, np.uint8))
    (tmp_path / "notes.txt").touch()
    (shown,) = reading.material(tmp_path, 8, 10, 16)
    assert {frame.shape for frame in shown} == {(16, 16, 3)}
    shades = [round(float(frame.mean()) / 70 - 2 / 7) for frame in shown]
    assert shades == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]


# What the record says.


def test_record(measured):
    record, result = measured.record, measured.record["result"]
    assert record["kind"] == "loader"
    assert record["format"] == records.FORMAT
    assert measured.path.name.startswith("loader_toy_")
    assert record["device"]
    assert record["settings"]["pairs"] == PAIRS
    assert (result["clips"], result["frames"], result["image_size"]) == (CLIPS, FRAMES, SIZE)
    assert result["size_ratio"] == result["bytes"]["mp4"] / result["bytes"]["raw"]
    assert result["psnr_to_raw"] > 20
    assert set(result["workers"]) == {"mp4", "shards"}
    for rates in result["workers"].values():
        assert set(rates) == {"0", "1"}
        assert min(rates.values()) > 0
    memory = result["memory"]
    assert (memory["clips"], memory["pairs"]) == (3, 3 * loader.PASSES)
    assert len(memory["megabytes"]) == 10
    assert min(memory["megabytes"]) > 0


def test_frames_decoded_for_a_pair(measured):
    rows = measured.record["result"]["readers"]
    decoded = {name: row.get("decoded_frames_per_pair") for name, row in rows.items()}
    assert decoded["plain"] == FRAMES
    assert decoded["frames"] == 2
    assert 2 <= decoded["mp4"] < FRAMES
    assert decoded["shards"] == decoded["mp4"]
    assert {name for name in rows if decoded[name] is None} == {
        "raw, first visit",
        "mp4, first visit",
        "shards, first visit",
    }


def test_ratios_are_those_of_the_times(measured):
    rows = measured.record["result"]["readers"]
    plain = rows["plain"]["pairs_per_second"]
    assert rows["plain"]["ratio_to_plain"] == 1
    for row in rows.values():
        assert row["ratio_to_plain"] == pytest.approx(row["pairs_per_second"] / plain)


def test_the_median_of_the_turns_counts(forms, monkeypatch):
    """A clock that is read twice a turn: loops take 1, 5 and 2 times their number in seconds."""
    ticks, now = [], 0.0
    names = ["plain"]
    for form in FORMS:
        names += [form] if form == "frames" else [form, f"{form}, first visit"]
    for turn in (1, 5, 2):
        for number in range(len(names)):
            ticks += [now, now + turn * (number + 1)]
            now += 1000
    monkeypatch.setattr(loader.time, "perf_counter", iter(ticks).__next__)
    rows = loader.time_readers(forms, reading.readers(forms, SIZE), PAIRS, 3)
    assert list(rows) == names
    few = 3  # pairs of the plain reader
    for number, name in enumerate(names):
        count = few if name == "plain" else PAIRS
        assert rows[name]["pairs_per_second"] == pytest.approx(count / (2 * (number + 1)))
        ratio = (2 / few) / (2 * (number + 1) / count)
        assert rows[name]["ratio_to_plain"] == pytest.approx(ratio)


def test_first_visits_find_nothing_remembered(forms, monkeypatch):
    clips = reading.readers(forms, SIZE)["mp4"]
    opened = []
    survey = media.index._survey
    monkeypatch.setattr(media.index, "_survey", lambda *words: opened.append(1) or survey(*words))
    reading.forget(clips)
    loader._loop(clips, PAIRS)()
    assert len(opened) == CLIPS
    opened.clear()
    loader._loop(clips, PAIRS)()
    assert not opened
    loader._loop(clips, PAIRS, forgetful=True)()
    assert len(opened) == PAIRS


def test_the_plain_reader_is_asked_for_the_same_pairs(forms):
    clips = reading.readers(forms, SIZE)["raw"]
    asked = []
    plain = SimpleNamespace(pair=lambda i, frames: asked.append((i, frames)))
    assert loader._plain_loop(plain, clips, 5)() == 5
    dataset = PairDataset(clips, loader.SEED, repeats=3)
    items = [dataset[(0, k)] for k in range(5)]
    assert asked == [(int(item["name"][:3]), item["frame_index"].tolist()) for item in items]
    assert {i for i, _ in asked} == {0, 1}


def test_report(measured):
    result = measured.record["result"]
    text = loader.report(measured.record)
    assert measured.out.startswith(text)
    assert measured.out.rstrip().endswith(str(measured.path))
    for name, row in result["readers"].items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert f"| {row['ratio_to_plain']:.1f} |" in line
    for count in ("0", "1"):
        both = [result["workers"][f][count] / result["workers"][f]["0"] for f in ("mp4", "shards")]
        assert f"| {count} | {both[0]:.2f} | {both[1]:.2f} |" in text
    assert f"{result['psnr_to_raw']:.1f} dB" in text
    assert " ".join(f"{x:.0f}" for x in result["memory"]["megabytes"]) in text
    for form in FORMS:
        assert f"{form} {result['bytes'][form] / result['bytes']['raw']:.2f}" in text


def test_records_of_other_settings_do_not_replace_each_other(measured, tmp_path):
    smaller = measured.record | {"settings": measured.record["settings"] | {"size": 16}}
    paths = {records.write_record(r, tmp_path, "loader", "toy") for r in (measured.record, smaller)}
    assert len(paths) == 2
    assert records.write_record(smaller, tmp_path, "loader", "toy") in paths


def test_tables_pass_over_it(measured, fails):
    """The folder is read, and holds no record of quality."""
    assert "there is no record in" in fails(table.main, "--results", measured.path.parent)


# The parts.


def test_link_many(tmp_path):
    few = [tmp_path / "x.mp4", tmp_path / "y.mp4"]
    for path in few:
        path.write_bytes(path.name.encode())
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "old.mp4").touch()
    links = reading.link_many(few, 5, tmp_path / "many")
    assert [path.read_bytes() for path in links] == [b"x.mp4", b"y.mp4"] * 2 + [b"x.mp4"]
    assert len(set(links)) == 5
    assert sorted((tmp_path / "many").iterdir()) == sorted(links)
    assert links[0].samefile(few[0])
    assert links == sorted(links)


def test_own_memory_counts_what_was_written():
    before = reading.own_memory()
    assert before > 0
    # pages of its own: an array might come out of memory that was written to and freed before
    with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        np.frombuffer(pages, np.uint8)[:] = 1
        grown = reading.own_memory() - before
    assert 60 < grown < 100  # 67.1 MB


def test_memory_travels_with_each_pair(forms, monkeypatch):
    monkeypatch.setattr(reading, "own_memory", lambda: 12.5)
    pairs = PairDataset(reading.readers(forms, SIZE)["mp4"], 0, repeats=2)
    item = reading.WithMemory(pairs)[(0, 1)]
    assert item["memory"].item() == 12.5
    assert torch.equal(item["source"], pairs[(0, 1)]["source"])
    assert len(reading.WithMemory(pairs)) == 2 * CLIPS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clips", 0], "--clips must be at least 1"),
        (["--pairs", 0], "--pairs must be at least 1"),
        (["--repeats", -1], "--repeats must be at least 1"),
        (["--clip-frames", 1], "--clip-frames must be at least 2"),
        (["--epoch-clips", 1], "--epoch-clips must be at least 2"),
        (["--workers", 0, -1], "--workers must be at least 0"),
        (["--size", 0], "--size 0: give an even number"),
        (["--size", 33], "--size 33: give an even number"),
        (["--clips-from", "absent", "--name", "own"], "folder absent does not exist"),
        (["--clips-from", ".", "--name", "own"], "holds no video"),
        (["--clips-from", ".."], "--name"),
    ],
)
def test_bad_options(words, message, fails, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert message in fails(loader.main, *WORDS, *words, "--output", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_damaged_video_is_one_line(fails, tmp_path):
    (tmp_path / "a.mp4").write_text("no film")
    words = ["--clips-from", tmp_path, "--name", "own", "--output", tmp_path / "results"]
    assert "a.mp4 is not a video" in fails(loader.main, *words)
