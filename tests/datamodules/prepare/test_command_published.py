"""The command for published sets, from lists and originals to batches: TaiChi and VoxCeleb."""

import shutil
import subprocess
import sys
from shlex import quote
from types import SimpleNamespace

import pytest

from datamodules.splits import fingerprint
from tests.datamodules.prepare.originals import (
    ADDRESS,
    HEADER,
    clips,
    content,
    digest,
    film,
    metadata,
    module,
    must_be_sound,
    must_train,
    numbers,
    place,
    prepare,
    read,
    shares,
    table_of,
)

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


def test_taichi_is_ready(taichi):
    must_train("taichi", taichi.roots, ["-a_b"])
    must_be_sound(taichi.roots / "taichi")


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


def test_originals_may_be_moved_and_replaced_by_better_ones(vox, tmp_path):
    root, films = tmp_path / "vox", tmp_path / "films"
    shutil.copytree(vox.root, root)
    shutil.copytree(vox.films, films)
    before = content(root)
    (films / "fast.mp4").rename(films / "id10001" / "fast.mp4")
    (films / "id10001" / "half.mp4").unlink()
    film(films / "half.mov.mp4")
    (films / "half.mov.mp4").rename(films / "half.mov")
    said = prepare("vox", vox.table, films, root)
    assert (said.status, said.err) == (0, [])
    assert "made now: 1, there before: 4" in said.out
    changed = {name for name, state in content(root).items() if before[name] != state}
    assert {n for n in changed if ".mp4" in n} == {"train/id10001#half#000003#000013.mp4"}
    boxes = {row["source"]: row["box"] for row in table_of(root / "manifest.csv")}
    assert boxes["half"] == "32,8,80,56"


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


def test_vox_is_ready(vox):
    must_train("vox", vox.root.parent, ["id10001", "id10002"])
    must_be_sound(vox.root)


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
    assert f"{films / 'ids.txt'} lists their addresses" in said.err[0]
    assert (films / "ids.txt").read_text() == f"{ADDRESS}v1\n{ADDRESS}v2\n"
    assert "yt-dlp" in said.out
    assert not (tmp_path / "root").exists()


def test_originals_that_cannot_be_written_to_are_used_all_the_same(tmp_path):
    films = tmp_path / "films"
    film(films / "film.mp4", 12)
    (films / "ids.txt").mkdir()  # a name that cannot be written, whoever runs this
    rows = [f"{name},3,9,8-8-40-40,25,128,72,train,id1" for name in ("film", "gone")]
    table = metadata(tmp_path / "t.csv", *rows, header=f"{HEADER},person_id")
    said = prepare("taichi", table, films, tmp_path / "root")
    assert (said.status, said.err) == (0, [])
    assert said.out.startswith("missing originals: 1, but their list cannot be written: ")
    assert "note: the list names persons, whom taichi does not have" in said.out
    assert "note: the list has no clip to test on" in said.out
    assert [path.name for path in films.iterdir() if path.name.startswith(".")] == []


def test_a_long_report_is_printed_in_part(tmp_path):
    film(tmp_path / "films" / "film.mp4", 12)
    rows = ["film,3,9,8-8-40-40,25,128,72,train"] * 90
    table = metadata(tmp_path / "t.csv", *rows)
    said = prepare("taichi", table, tmp_path / "films", tmp_path / "r")
    lines = (tmp_path / "r" / "report.txt").read_text().splitlines()
    assert len(lines) > 100
    printed = said.out.splitlines()
    assert printed[:40] == lines[:40]
    assert printed[40] == f"... {tmp_path / 'r' / 'report.txt'} has {len(lines) - 40} lines more"
    assert lines[-1] not in printed


def test_what_to_train_with_is_said(vox, taichi, tmp_path):
    roots = vox.root.parent
    for said in (vox.first, vox.second):
        assert said.out.splitlines()[-1] == (
            f"train on it: make train DATA=vox DATA_ROOT={quote(str(roots))} "
            'ARGS="--data.init_args.image_size=64"'
        )
    root = tmp_path / "mine"
    shutil.copytree(taichi.roots / "taichi", root)
    said = prepare("taichi", taichi.table, taichi.films, root)
    assert said.out.splitlines()[-1].endswith(
        'ARGS="--data.init_args.image_size=64 --data.init_args.train=mine/train '
        '--data.init_args.test=mine/test"'
    )


def test_help_is_there_and_loads_nothing_heavy():
    code = (
        "import sys; from datamodules.__main__ import main; "
        "print([main(['prepare', *kind, '--help']) for kind in ([], ['vox'], ['ted'], ['taichi'])],"
        " sorted({'torch', 'av', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0] []"
    for words in ("TaiChiHD", "VoxCeleb1", "TED-talks", "--keep-aspect", "--metadata CSV"):
        assert words in done.stdout
