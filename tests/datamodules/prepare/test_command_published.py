"""The command for published sets, on originals whose frames tell their number and their place.

Red grows from the left edge to the right, green from top to bottom, blue with time, so that a
clip tells which pixels of which frames it was cut from. Films that only have to differ from each
other have noise in red and green.
"""

import contextlib
import csv
import hashlib
import io
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from datamodules import About, FramePairs, media
from datamodules.__main__ import main
from datamodules.prepare.head import detector
from datamodules.prepare.published.split import deal_by_identity
from datamodules.splits import fingerprint

HEADER = "video_id,start,end,bbox,fps,width,height,partition"
WIDE = (72, 128)
CONFIGS = Path(__file__).parents[3] / "zoo_configs" / "data"
ADDRESS = "https://www.youtube.com/watch?v="


def film(path, frames=30, fps=25, size=WIDE, seed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    picture = np.zeros((height, width, 3))
    if seed is None:
        picture[..., 0] = 10 + 240 * (np.arange(width) + 0.5) / width
        picture[..., 1] = 10 + 240 * (np.arange(height)[:, None] + 0.5) / height
    else:
        noise = np.random.default_rng(seed).uniform(40, 200, (height // 8, width // 8, 2))
        picture[..., :2] = noise.repeat(8, 0).repeat(8, 1)
    with media.ClipWriter(path, Fraction(fps)) as writer:
        for t in range(frames):
            picture[..., 2] = 20 + 6 * t
            writer.write(picture.round().astype(np.uint8))


def numbers(frames):
    """Which frames of its original a clip holds."""
    return [round((float(frame[..., 2].mean()) - 20) / 6) for frame in frames]


def place(frames):
    """What was cut: left, top, right, bottom as shares of the original's sides."""
    found = []
    for channel, axis in ((0, 0), (1, 1)):
        line = frames[..., channel].astype(float).mean(0).mean(axis)
        at = (np.arange(len(line)) + 0.5) / len(line)
        inner = slice(len(line) // 8, -len(line) // 8)
        slope, start = np.polyfit(at[inner], (line[inner] - 10) / 240, 1)
        found.append((start, start + slope))
    (left, right), (top, bottom) = found
    return [left, top, right, bottom]


def read(path):
    with media.open_clip(path) as clip:
        return clip.read(range(clip.num_frames)), clip.fps


def shares(box, size=WIDE):
    left, top, right, bottom = box
    height, width = size
    return [left / width, top / height, right / width, bottom / height]


def metadata(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def call(*arguments):
    """Run a command; give status, what was said, and lines of errors that are no bar."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*map(str, arguments)])
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("prepare: ")]
    return SimpleNamespace(
        status=status, out=out.getvalue(), err=[line for line in lines if line.strip()]
    )


def prepare(kind, table, originals, root, *more):
    options = ("--size", 64, "--workers", 2, *more)
    return call("prepare", kind, "--metadata", table, "--originals", originals, root, *options)


def content(root):
    files = [p for p in root.rglob("*") if p.is_file() and ".prepare" not in p.parts]
    return {p.relative_to(root).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def clips(root):
    return sorted(p.relative_to(root).as_posix() for p in root.glob("t*/*"))


def table_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digest(*names):
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()


# TaiChi: whole bodies; some boxes are not square.


@pytest.fixture(scope="module")
def taichi(tmp_path_factory):
    base = tmp_path_factory.mktemp("taichi")
    film(base / "films" / "-a_b.mp4", fps=30)
    film(base / "films" / "noise.webm.mp4", seed=1)
    (base / "films" / "noise.webm.mp4").rename(base / "films" / "noise.mkv")
    table = metadata(
        base / "taichi-metadata.csv",
        "-a_b,3,13,32-8-96-72,30.0,128,72,train",
        "-a_b,14,22,40-8-80-68,30.0,128,72,train",
        "noise,2,12,32-8-96-72,25.0,128,72,test",
        "gone,2,12,32-8-96-72,25.0,128,72,train",
        "-a_b,9,9,32-8-96-72,30.0,128,72,train",
    )
    out = base / "roots"
    said = prepare("taichi", table, base / "films", out / "taichi")
    return SimpleNamespace(table=table, films=base / "films", roots=out, said=said)


def test_taichi_is_cut_as_published(taichi):
    assert (taichi.said.status, taichi.said.err) == (0, [])
    root = taichi.roots / "taichi"
    assert clips(root) == [
        "test/noise#000002#000012.mp4",
        "train/-a_b#000003#000013.mp4",
        "train/-a_b#000014#000022.mp4",
    ]
    frames, fps = read(root / "train/-a_b#000003#000013.mp4")
    assert (frames.shape, fps, numbers(frames)) == ((10, 64, 64, 3), 30, [*range(3, 13)])
    assert place(frames) == pytest.approx(shares((32, 8, 96, 72)), abs=0.015)
    frames, _ = read(root / "train/-a_b#000014#000022.mp4")
    assert (frames.shape, numbers(frames)) == ((8, 64, 64, 3), [*range(14, 22)])
    assert place(frames) == pytest.approx(shares((40, 8, 80, 68)), abs=0.015)  # distorted


def test_taichi_is_reported(taichi):
    root = taichi.roots / "taichi"
    text = (root / "report.txt").read_text()
    assert text.rstrip() in taichi.said.out
    for line in (
        "rows in the list: 5, of which refused: 1",
        "train: made 2 of 3 clips (66.7 %), 1 identities",
        "test: made 1 of 1 clips (100.0 %), 1 identities",
        "  original missing: 1 clips of 1 videos: gone",
        "boxes that are not square: 1; resized to a square, so distorted, as published "
        "(--keep-aspect widens them)",
        "  line 6: end 9 is not after start 9 | -a_b,9,9,32-8-96-72,30.0,128,72,train",
    ):
        assert line in text.splitlines()
    names = [path.removesuffix(".mp4") for path in clips(root)]
    assert f"(sha256 of sorted split/name lines): {digest(*names)}" in text
    rows = table_of(root / "manifest.csv")
    assert [(row["path"], row["identity"], row["source"], row["frames"], row["box"])
            for row in rows] == [
        ("test/noise#000002#000012.mp4", "noise", "noise", "10", "32,8,96,72"),
        ("train/-a_b#000003#000013.mp4", "-a_b", "-a_b", "10", "32,8,96,72"),
        ("train/-a_b#000014#000022.mp4", "-a_b", "-a_b", "8", "40,8,80,68"),
    ]  # fmt: skip
    assert {row["crop"] for row in rows} == {"box"}


def test_the_download_command_can_be_run_as_it_is(taichi):
    ids = taichi.films / "ids.txt"
    assert ids.read_text() == f"{ADDRESS}gone\n"
    said = taichi.said.out.splitlines()
    assert said[0] == (f"missing originals: 1, listed in {ids}; fetch them for example by")
    assert said[1].startswith("  yt-dlp ")
    assert said[1].endswith(f" -o '{taichi.films}/%(id)s.%(ext)s' -a {ids}")


def test_boxes_are_widened_where_aspects_are_kept_also_in_shards(taichi, tmp_path):
    more = ("--keep-aspect", "--format", "shards")
    said = prepare("taichi", taichi.table, taichi.films, tmp_path / "taichi", *more)
    assert (said.status, said.err) == (0, [])
    text = (tmp_path / "taichi" / "report.txt").read_text()
    assert "boxes that are not square: 1; widened to squares (--keep-aspect)" in text
    files = (taichi.roots / "taichi" / "report.txt").read_text().splitlines()
    same = [line for line in files if line.startswith(("split really", "test clips", "train:"))]
    assert len(same) == 3  # a split is the same in any form
    assert set(same) <= set(text.splitlines())
    data = module("taichi", tmp_path, image_size=64)
    names = [data.train_clips.name(i) for i in range(2)]
    assert [name.removesuffix(".mp4") for name in names] == [
        "-a_b#000003#000013", "-a_b#000014#000022"
    ]  # fmt: skip
    frames = data.train_clips.read(1, range(8)).permute(0, 2, 3, 1).numpy()
    assert numbers(frames) == [*range(14, 22)]
    # 40 wide, 60 high: 10 pixels more on each side
    assert place(frames) == pytest.approx(shares((30, 8, 90, 68)), abs=0.015)
    assert f"as protocols name them: {data.test_names}\n" in text


# VoxCeleb: persons, 25 frames a second, copies of other sizes and rates; downloads take days.


@pytest.fixture(scope="module")
def vox(tmp_path_factory):
    base = tmp_path_factory.mktemp("vox %(id)s")
    films, root = base / "films", base / "roots" / "vox"
    table = metadata(
        base / "vox-metadata.csv",
        "fast,5,15,32-8-80-56,25.0,128,72,train,id10001",
        "half,3,13,32-8-80-56,25.0,128,72,train,id10001",
        "late,4,14,32-8-80-56,25.0,128,72,train,id10002",
        "gone,4,14,32-8-80-56,25.0,128,72,train,id10003",
        "test1,4,14,32-8-80-56,25.0,128,72,test,id10280",
        "test2,4,14,32-8-80-56,25.0,128,72,test,id10281",
        "fast,5,25,32-8-80-56,25.0,128,72,train,",
        header=f"{HEADER},person_id",
    )
    film(films / "fast.mp4", frames=34, fps=50)
    film(films / "id10001" / "half.mp4", size=(36, 64))
    film(films / "test1.mp4", seed=1)
    first = prepare("vox", table, films, root)
    first.content, first.ids = content(root), (films / "ids.txt").read_text()
    film(films / "late.mp4", seed=2)
    film(films / "test2.mp4", seed=3)
    second = prepare("vox", table, films, root)
    return SimpleNamespace(table=table, films=films, root=root, first=first, second=second)


def test_vox_is_cut_out_of_any_copy(vox):
    frames, fps = read(vox.root / "train/id10001#fast#000005#000015.mp4")
    assert (frames.shape, fps) == ((10, 64, 64, 3), 25)
    assert numbers(frames) == [*range(10, 30, 2)]
    assert place(frames) == pytest.approx(shares((32, 8, 80, 56)), abs=0.015)
    frames, fps = read(vox.root / "train/id10001#half#000003#000013.mp4")
    assert (frames.shape, fps, numbers(frames)) == ((10, 64, 64, 3), 25, [*range(3, 13)])
    assert place(frames) == pytest.approx(shares((32, 8, 80, 56)), abs=0.02)
    boxes = {row["source"]: row["box"] for row in table_of(vox.root / "manifest.csv")}
    assert (boxes["fast"], boxes["half"]) == ("32,8,80,56", "16,4,40,28")


def test_what_arrives_later_is_added_and_nothing_else_is_touched(vox):
    first, second, now = vox.first, vox.second, content(vox.root)
    assert (first.status, second.status, first.err + second.err) == (0, 0, [])
    assert sorted(name for name in first.content if name.endswith(".mp4")) == [
        "test/id10280#test1#000004#000014.mp4",
        "train/id10001#fast#000005#000015.mp4",
        "train/id10001#half#000003#000013.mp4",
    ]
    assert all(now[name] == first.content[name] for name in first.content if ".mp4" in name)
    assert set(now) - set(first.content) == {
        "test/id10281#test2#000004#000014.mp4", "train/id10002#late#000004#000014.mp4"
    }  # fmt: skip
    assert "made now: 2, there before: 3" in second.out.splitlines()
    assert first.ids == f"{ADDRESS}gone\n{ADDRESS}late\n{ADDRESS}test2\n"
    assert (vox.films / "ids.txt").read_text() == f"{ADDRESS}gone\n"
    before, after = first.content["report.txt"][0].decode(), (vox.root / "report.txt").read_text()
    assert "train: made 2 of 4 clips (50.0 %), 1 identities" in before
    assert "train: made 3 of 4 clips (75.0 %), 2 identities" in after
    assert "test: made 2 of 2 clips (100.0 %), 2 identities" in after
    assert "line 8: no person_id: the set's identities are persons" in after
    for text, paths in ((before, first.content), (after, now)):
        names = [name.removesuffix(".mp4") for name in paths if name.endswith(".mp4")]
        assert digest(*names) in text
        tested = [name.removeprefix("test/") for name in names if name.startswith("test/")]
        assert f"as protocols name them: {fingerprint(tested)}\n" in text


def test_what_a_kill_left_is_mended(vox, tmp_path):
    root = tmp_path / "vox"
    shutil.copytree(vox.root, root)
    before = content(root)
    lost = "train/id10002#late#000004#000014.mp4"
    (root / lost).unlink()
    (root / "train" / ".half.mp4.999999.part").write_bytes(b"half")
    (root / "report.txt").unlink()
    notes = root / ".prepare" / "made.jsonl"
    notes.write_bytes(notes.read_bytes()[:-20])  # the last clip was not noted down whole
    said = prepare("vox", vox.table, vox.films, root)
    assert (said.status, said.err) == (0, [])
    assert {name: data for name, (data, _) in content(root).items()} == {
        name: data for name, (data, _) in before.items()
    }
    noted = [name for name in before if ".mp4" in name and content(root)[name] == before[name]]
    assert len(noted) >= 3


def test_a_list_that_changes(vox, tmp_path):
    root = tmp_path / "vox"
    shutil.copytree(vox.root, root)
    before = content(root)
    text = vox.table.read_text()
    moved = metadata(tmp_path / "moved.csv", text.replace("test,id10281", "train,id10281"))
    moved.write_text(text.replace("test,id10281", "train,id10281"))
    said = prepare("vox", moved, vox.films, root)
    assert (said.status, len(said.err)) == (2, 1)
    assert "deals 1 clips otherwise" in said.err[0]
    assert "test/id10281#test2#000004#000014.mp4" in said.err[0]
    listed = tmp_path / "test.txt"
    listed.write_text("id10280\n")
    said = prepare("vox", vox.table, vox.films, root, "--test", listed)
    assert (said.status, len(said.err)) == (2, 1)
    assert "begun with other options" in said.err[0]
    assert content(root) == before
    # another box is made again; a row that is gone leaves its clip, which is said
    lines = [line for line in text.splitlines() if not line.startswith(("test2", "fast,5,25"))]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(lines).replace("late,4,14,32-8-80-56", "late,4,14,40-8-88-56"))
    said = prepare("vox", other, vox.films, root)
    assert said.status == 0
    assert "made now: 1, there before: 4" in said.out
    changed = {name for name, state in content(root).items() if before[name] != state}
    assert {n for n in changed if ".mp4" in n} == {"train/id10002#late#000004#000014.mp4"}
    report = (root / "report.txt").read_text()
    assert "clips that are not in the list: 1: test/id10281#test2#000004#000014" in report


# TED: ranges inside the ids, boxes of square cuts, no test clips.


@pytest.fixture(scope="module")
def ted(tmp_path_factory):
    base = tmp_path_factory.mktemp("ted")
    talks = ["talkA", "talkB", "talkC"]
    for seed, talk in enumerate(talks):
        film(base / "films" / f"{talk}.mp4", seed=seed)
    ids = [f"{talk}#{first:06d}#{first + 10:06d}" for talk in talks for first in (3, 15)]
    lines = [f"{name},0,0,171-28-610-467,10.0,848,848,train" for name in ids]
    table = metadata(base / "ted-metadata.csv", *lines)
    boxed = prepare("ted", table, base / "films", base / "boxed")
    square = prepare("ted", table, base / "films", base / "roots" / "ted", "--crop", "square")
    split = deal_by_identity({name: name.split("#")[0] for name in ids})
    return SimpleNamespace(base=base, table=table, ids=ids, split=split, boxed=boxed, square=square)


def test_teds_boxes_that_fit_no_original_are_refused_with_the_way_out(ted):
    assert (ted.boxed.status, len(ted.boxed.err)) == (2, 1)
    assert "no clip could be made" in ted.boxed.err[0]
    root = ted.base / "boxed"
    assert clips(root) == []
    skipped = table_of(root / "skipped.csv")
    assert len(skipped) == 6
    for row in skipped:
        assert "the box 171-28-610-467 of 848x848 pixels" in row["reason"]
        assert "another aspect than the file's 128x72" in row["reason"]
    for text in ((root / "report.txt").read_text(), ted.boxed.out):
        assert "6 boxes were measured in square pictures" in text
        assert "--crop head, --crop square" in text


def test_teds_own_crop_and_own_split(ted):
    assert (ted.square.status, ted.square.err) == (0, [])
    root = ted.base / "roots" / "ted"
    assert clips(root) == sorted(f"{side}/{name}.mp4" for name, side in ted.split.items())
    assert set(ted.split.values()) == {"train", "test"}
    for row in table_of(root / "manifest.csv"):
        frames, fps = read(root / row["path"])
        first = int(row["path"].split("#")[1])
        assert (fps, numbers(frames)) == (25, [*range(first, first + 10)])
        assert (row["crop"], row["box"]) == ("square", "28,0,100,72")
    text = (root / "report.txt").read_text()
    assert "the list marks no clip for testing: the split is made here, by identity" in text
    assert "6 rows have start = end = 0 and their range in the id" in text
    assert "boxes" not in text


def test_teds_heads(tmp_path):
    try:
        detector()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    from skimage.data import astronaut

    canvas = np.full((360, 640, 3), 90, np.uint8)
    canvas[:, 250:610] = astronaut()[:360, 50:410]
    (tmp_path / "films").mkdir()
    for talk in "AB":
        with media.ClipWriter(tmp_path / "films" / f"{talk}.mp4", Fraction(25)) as writer:
            for _ in range(9):
                writer.write(canvas)
    lines = [f"{talk}#000002#000008,0,0,1-2-61-62,10.0,64,64,train" for talk in "AB"]
    table = metadata(tmp_path / "t.csv", *lines)
    said = prepare("ted", table, tmp_path / "films", tmp_path / "ted", "--crop", "head")
    assert (said.status, said.err) == (0, [])
    for row in table_of(tmp_path / "ted" / "manifest.csv"):
        left, top, right, bottom = map(int, row["box"].split(","))
        # her eyes lie near (215, 115) of the photograph
        assert left < 250 + 215 - 50 < right
        assert top < 115 < bottom
        assert (right - left, row["frames"], row["crop"]) == (bottom - top, "6", "head")


# What the user has to change; nothing is written.


@pytest.mark.parametrize(
    ("kind", "lines", "more", "says"),
    [
        ("vox", None, "", "metadata file"),
        ("vox", ["film,3,9,8-8-40-40,25,128,72,train"], "", "line 2: no person_id"),
        ("ted", ["film;3;9"], "--size 31", "--size 31"),
        ("taichi", ["other,3,9,8-8-40-40,25,128,72,train"], "", "none of the 1 videos"),
        ("taichi", ["film,3,9,8-8-40-40,25,128,72,train"], "--test no.txt", "no.txt"),
        ("taichi", ["film,3,9,8-8-40-40,25,128,72,train"], "--crop square --keep-aspect", "--keep"),
        ("taichi", ["film,3,9,8-8-40-40,25,128,72,train"], "--crop none", "--crop"),
    ],
)
def test_mistakes_are_one_line(tmp_path, kind, lines, more, says):
    films = tmp_path / "films"
    film(films / "film.mp4", 2)
    table = tmp_path / "list.csv"
    if lines is not None:
        metadata(table, *lines)
    said = prepare(kind, table, films, tmp_path / "root", *more.split())
    assert (said.status, len(said.err)) == (2, 1)
    assert says in said.err[0]
    assert not (tmp_path / "root").exists()


def test_a_first_run_without_any_original_says_what_to_fetch(tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    table = metadata(tmp_path / "t.csv", *(f"v{i},3,9,8-8-40-40,25,128,72,train" for i in "21"))
    said = prepare("taichi", table, films, tmp_path / "root")
    assert (said.status, len(said.err)) == (2, 1)
    assert f"{films / 'ids.txt'} has their addresses" in said.err[0]
    assert (films / "ids.txt").read_text() == f"{ADDRESS}v1\n{ADDRESS}v2\n"
    assert not (tmp_path / "root").exists()


# What was made can be trained on.


def module(name, roots, **changes):
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["data"]["init_args"]
    about = About(**settings.pop("about"))
    small = {"root": str(roots), "batch_size": 2, "num_workers": 0}
    return FramePairs(**{**settings, "about": about, **small, **changes})


@pytest.mark.parametrize(
    ("name", "identities"),
    [("taichi", ["-a_b"]), ("vox", ["id10001", "id10002"]), ("ted", None)],
)
def test_what_was_made_can_be_trained_on(name, identities, request):
    made = request.getfixturevalue(name)
    roots = made.base / "roots" if name == "ted" else getattr(made, "roots", None)
    roots = roots or made.root.parent
    data = module(name, roots)
    if identities is None:
        identities = sorted({n.split("#")[0] for n, side in made.split.items() if side == "train"})
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    size = 384 if name == "ted" else 256
    assert batch["source"].shape == batch["driving"].shape == (2, 3, size, size)
    known = data.train_clips
    shown = {known.name(i).split("#")[0]: known.identity(i) for i in range(len(known))}
    assert shown == {who: number for number, who in enumerate(identities)}
    assert data.num_identities == len(identities)
    video = next(iter(data.val_dataloader()))["video"]
    assert video.shape == (1, 10, 3, size, size)
    assert f"{data.test_names}\n" in (roots / name / "report.txt").read_text()


@pytest.mark.parametrize("name", ["taichi", "vox", "ted"])
def test_the_check_finds_nothing_wrong(name, request):
    made = request.getfixturevalue(name)
    root = made.root if name == "vox" else getattr(made, "roots", None)
    root = root / name if name == "taichi" else root or made.base / "roots" / "ted"
    said = call("check", root, "--workers", 2)
    assert (said.status, said.err) == (0, []), said.out
    assert "identities by csv(manifest.csv,identity)" in said.out
