from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import media
from datamodules.clips import VideoFolder
from datamodules.media.stream import to_rgb
from datamodules.splits import (
    find_clips,
    identity_rule,
    label_identities,
    list_clips,
    read_table,
    split_clips,
)


def write_video(path: Path, frames: int, size: int = 32) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for t in range(frames):
            picture = np.full((size, size, 3), 20 * t, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_gif(path: Path, frames: int) -> None:
    pictures = [Image.new("RGB", (24, 24), (20 * t, 0, 0)) for t in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)


def write_strip(path: Path, frames: int) -> None:
    strip = np.zeros((20, 20 * frames, 3), np.uint8)
    for t in range(frames):
        strip[:, 20 * t : 20 * (t + 1)] = 20 * t
    Image.fromarray(strip).save(path)


@pytest.fixture
def mixed(tmp_path, write_frames):
    write_video(tmp_path / "c.mp4", 6)
    write_video(tmp_path / "b.avi", 5)
    write_gif(tmp_path / "a.gif", 4)
    write_strip(tmp_path / "d.png", 3)
    write_frames(tmp_path / "e.mp4", 7, 100)  # a folder may be called that
    (tmp_path / "notes.txt").write_text("no clip")
    (tmp_path / ".hidden.mp4").write_text("no clip")
    return tmp_path


def test_mixed_kinds_in_one_folder(mixed):
    clips = VideoFolder(list_clips(mixed), range(5), 16)
    assert [clips.name(i) for i in range(5)] == ["a.gif", "b.avi", "c.mp4", "d.png", "e.mp4"]
    assert [clips.num_frames(i) for i in range(5)] == [4, 5, 6, 3, 7]
    assert clips.fps(0) == clips.fps(2) == 25.0
    for i in range(5):
        frames = clips.read(i, [2, 0])
        assert frames.shape == (2, 3, 16, 16)
        assert frames.dtype == torch.uint8
        level = frames.float().mean((1, 2, 3))
        assert level[0] > level[1], clips.name(i)  # all of them brighten


def test_cache_gives_the_same_frames(mixed):
    paths = list_clips(mixed)
    plain, kept = (VideoFolder(paths, range(5), 16, cache=cache) for cache in (False, True))
    kept.preload()
    for path in mixed.glob("*.*"):
        if path.is_file():
            path.rename(path.with_name("gone-" + path.name))
    assert kept.read(2, [5, 1]).shape == (2, 3, 16, 16)
    for path in mixed.glob("gone-*"):
        path.rename(path.with_name(path.name.removeprefix("gone-")))
    for i in range(5):
        assert torch.equal(kept.read(i, [2, 0]), plain.read(i, [2, 0]))


def test_resizing_is_anti_aliased(tmp_path):
    board = np.indices((64, 64)).sum(0) % 2 * 255
    folder = tmp_path / "board"
    folder.mkdir()
    Image.fromarray(np.stack([board] * 3, -1).astype(np.uint8)).save(folder / "0.png")
    small = VideoFolder([folder], [0], 16).read(0, [0]).float()
    assert (small - 127.5).abs().max() < 30  # nearest or plain bilinear gives 0 or 255


def test_frames_that_are_not_square(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    (tmp_path / "wide").mkdir()
    Image.fromarray(wide).save(tmp_path / "wide" / "0.png")
    cut = VideoFolder([tmp_path / "wide"], [0], 10, fit="square").read(0, [0])
    assert cut.min() == 255
    stretched = VideoFolder([tmp_path / "wide"], [0], 10, fit="stretch").read(0, [0])
    assert stretched[..., 0].max() < 10


def test_listing_is_sorted_naturally(tmp_path, write_frames):
    for name in ("clip10", "clip9", "clip1"):
        write_frames(tmp_path / name, 1, 0)
    assert [path.name for path in list_clips(tmp_path)] == ["clip1", "clip9", "clip10"]


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.*DATA_ROOT"):
        list_clips(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"holds no clip.*DATA_ROOT"):
        list_clips(tmp_path)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("clip", [[0, 1, 2], [3, 4]]),
        ("prefix(#)", [[0, 0, 1], [1, 2]]),
        ('prefix("#")', [[0, 0, 1], [1, 2]]),
    ],
)
def test_identities_by_name(small_root, rule, expected):
    paths = find_clips(small_root, {"train": "train", "test": "test"}, None)
    labels = label_identities(paths, identity_rule(rule, small_root))
    assert [labels["train"], labels["test"]] == expected


def test_a_prefix_that_begins_another_is_another_identity(tmp_path, write_frames):
    for name in ("id1#x", "id10#y", "id1#z"):
        write_frames(tmp_path / "train" / name, 1, 0)
    write_frames(tmp_path / "test" / "id1#t", 1, 0)
    paths = find_clips(tmp_path, {"train": "train", "test": "test"}, None)
    labels = label_identities(paths, identity_rule("prefix(#)", tmp_path))
    assert labels == {"train": [0, 0, 1], "test": [0]}


@pytest.mark.parametrize(
    "table",
    [
        "path,who\ntrain/a#1,x\ntrain/a#2,y\ntrain/b#1,x\ntest/b#2,z\ntest/c#1,y\n",
        "name,who\na#1,x\na#2,y\nb#1,x\nb#2,z\nc#1,y\n",
    ],
)
def test_identities_by_table(small_root, table):
    (small_root / "people.csv").write_text(table)
    paths = find_clips(small_root, {"train": "train", "test": "test"}, None)
    labels = label_identities(paths, identity_rule("csv(people.csv,who)", small_root))
    assert labels == {"train": [0, 1, 0], "test": [2, 1]}


@pytest.mark.parametrize(
    ("rule", "table", "error", "said"),
    [
        ("person", "", ValueError, "identities: 'person' is none of"),
        ("csv(none.csv,who)", "", FileNotFoundError, "none.csv does not exist"),
        ("csv(people.csv,whom)", "name,who\na,b\n", ValueError, "no column whom"),
        ("csv(people.csv,who)", "who\nb\n", ValueError, "neither a column path"),
        ("csv(people.csv,who)", "name,who\na#1,b\n", ValueError, "no who for train/a#2"),
        ("csv(people.csv,who)", "name,who\na#1,b\na#1,c\n", ValueError, "two values"),
        ("csv(people.csv,who)", "name,who\n", ValueError, "no line"),
        ("csv(people.csv,who)", "", ValueError, "no column who"),
    ],
)
def test_identity_rules_that_cannot_be_followed(small_root, rule, table, error, said):
    (small_root / "people.csv").write_text(table)
    with pytest.raises(error, match=said):
        label_identities(
            find_clips(small_root, {"train": "train", "test": "test"}, None),
            identity_rule(rule, small_root),
        )


def test_a_table_that_is_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match="not a CSV"):
        read_table(tmp_path / "t.csv", ["name"])


def test_split_files(tmp_path, write_frames):
    for name in ("a", "b", "c", "d"):
        write_frames(tmp_path / name, 1, 0)
    (tmp_path / "split.csv").write_text("name,split\nd,train\na,train\nb,test\n")
    (tmp_path / "test.txt").write_text("# the held out\nc\n\nb\n")
    by_csv = split_clips(list_clips(tmp_path), tmp_path / "split.csv")
    assert {s: [p.name for p in by_csv[s]] for s in by_csv} == {"train": ["a", "d"], "test": ["b"]}
    by_text = find_clips(tmp_path, {"train": "no", "test": "no"}, "test.txt")
    names = {s: [p.name for p in by_text[s]] for s in by_text}
    assert names == {"train": ["a", "d"], "test": ["b", "c"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,split\na,train\nz,test\n", "names z, which is not"),
        ("name,split\na,train\nb,valid\n", "split 'valid'"),
        ("name,split\na,train\n", "no clip for test"),
        ("name\na\n", "no column split"),
    ],
)
def test_split_files_that_do_not_fit(tmp_path, write_frames, text, said):
    for name in ("a", "b"):
        write_frames(tmp_path / name, 1, 0)
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        find_clips(tmp_path, {"train": "train", "test": "test"}, "split.csv")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        split_clips(list_clips(tmp_path), tmp_path / "no.txt")


@pytest.mark.parametrize("name", ["faces", "actions"])
def test_real_clips_frame_exact(shared_dir, name):
    """Frames by number equal the frames of a plain front-to-back decode."""
    folder = shared_dir / "data" / "test" / name
    paths = list_clips(folder)[:2]
    clips = VideoFolder(paths, [0, 0], 64 if name == "actions" else 256)
    for i, path in enumerate(paths):
        with av.open(str(path)) as container:
            whole = [to_rgb(f) for f in container.decode(video=0)]
        assert clips.num_frames(i) == len(whole)
        wanted = [len(whole) - 1, 0, len(whole) // 2, 1]
        expected = media.to_tensor(np.stack([whole[n] for n in wanted]))
        assert torch.equal(clips.read(i, wanted), expected)
