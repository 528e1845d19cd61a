"""The index of shards: small in memory, and believed only where it makes sense."""

import socket
import time

import numpy as np
import pytest

from datamodules import FramePairs
from datamodules.items import PairDataset
from datamodules.shard_index import COLUMNS, ShardIndex, Texts, has_shards
from datamodules.shards import ShardClips

GOOD = ["a#1", "a", "12", "30000/1001", "00000.tar", "512", "9000"]


def write(folder, *lines, header=COLUMNS):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(",".join(line) + "\n" for line in (header, *lines))
    (folder / "index.csv").write_text(text, encoding="utf-8")
    return folder


def changed(**fields):
    return [fields.get(name, value) for name, value in zip(COLUMNS, GOOD, strict=True)]


def test_what_an_index_says(tmp_path):
    place = write(tmp_path, GOOD, changed(name="ü 2", identity="b", fps="25", shard="00001.tar"))
    index = ShardIndex(place)
    assert (len(index), list(index.names), list(index.identities)) == (
        2,
        ["a#1", "ü 2"],
        ["a", "b"],
    )
    assert index.frames.tolist() == [12, 12]
    assert index.fps.tolist() == [30000 / 1001, 25]
    assert [index.shards[n] for n in index.shard] == ["00000.tar", "00001.tar"]
    assert (index.offsets.tolist(), index.sizes.tolist()) == ([512] * 2, [9000] * 2)
    assert has_shards(place)
    assert not has_shards(tmp_path / "elsewhere")


def test_a_table_program_may_have_saved_it(tmp_path):
    write(tmp_path, GOOD)
    text = (tmp_path / "index.csv").read_text().replace("\n", "\r\n") + "\r\n"
    (tmp_path / "index.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert list(ShardIndex(tmp_path).names) == ["a#1"]


def test_columns_may_stand_in_any_order_and_line_ends_in_names(tmp_path):
    row = changed(identity='"one\u2028two\nthree"')
    write(tmp_path, row[::-1], header=COLUMNS[::-1])
    assert list(ShardIndex(tmp_path).identities) == ["one\u2028two\nthree"]


@pytest.mark.parametrize(
    "row",
    [
        changed(frames="twelve"),
        changed(frames="0"),
        changed(frames="-3"),
        changed(frames="12.5"),
        changed(fps="fast"),
        changed(fps="0/1"),
        changed(fps="25/0"),
        changed(fps="nan"),
        changed(fps="inf"),
        changed(fps="-25"),
        changed(offset="-1"),
        changed(offset="1" * 30),
        changed(bytes="0"),
        changed(bytes=""),
        changed(shard=""),
        changed(shard="../elsewhere.tar"),
        changed(shard="/elsewhere.tar"),
        GOOD[:-1],
        GOOD[:1],
        changed(name='"never closed'),
        changed(name="a#2"),
    ],
)
def test_a_damaged_line_is_one_error(tmp_path, row):
    """In the second line, so that the first has to be no excuse."""
    write(tmp_path, changed(name="a#2"), row)
    with pytest.raises(ValueError, match=r"index\.csv is damaged \(.+\): pack the shards again"):
        ShardIndex(tmp_path)
    write(tmp_path / "train", changed(name="a#2"), row)
    write(tmp_path / "test", GOOD)
    with pytest.raises(ValueError, match=r"train/index\.csv is damaged"):
        FramePairs(str(tmp_path)).setup("fit")


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column(tmp_path, missing):
    place = COLUMNS.index(missing)
    header = [*COLUMNS[:place], *COLUMNS[place + 1 :]]
    write(tmp_path, [*GOOD[:place], *GOOD[place + 1 :]], header=header)
    with pytest.raises(ValueError, match=rf"damaged.*it needs the columns .*{missing}"):
        ShardIndex(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"\n\n", b"\x89PNG\r\n\x1a\n" * 20])
def test_no_index_at_all(tmp_path, content):
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        ShardIndex(tmp_path)


def test_an_index_without_clips(tmp_path):
    with pytest.raises(ValueError, match=r"index\.csv lists no clip"):
        ShardIndex(write(tmp_path))


def test_a_split_without_an_index(tmp_path):
    write(tmp_path / "train", GOOD)
    with pytest.raises(FileNotFoundError, match=r"no shards at .*test \(no index\.csv\).*--format"):
        FramePairs(str(tmp_path)).setup("fit")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("memory://no/where", FileNotFoundError, r"no shards at memory://no/where/train"),
        ("http://127.0.0.1:{port}/a", OSError, r"http://127.*/train/index\.csv cannot be fetched"),
        ("nothing://a/b", ValueError, r"nothing://a/b/train cannot be read: .*nothing"),
        ("s3://bucket/vox", ValueError, r"s3://bucket/vox/train cannot be read: .*s3fs"),
        ("file:///no/such/folder", FileNotFoundError, r"no shards at file:///no/such/folder/train"),
    ],
)
def test_an_address_that_leads_nowhere(address, kind, said):
    data = FramePairs(address.format(port=free_port()))
    assert data.num_identities == 0
    with pytest.raises(kind, match=said) as caught:
        data.setup("fit")
    assert "\n" not in str(caught.value)


def test_texts():
    words = ["", "a", "ü 動画", "b" * 300, ""]
    texts = Texts(words)
    assert list(texts) == words
    assert len(texts) == 5
    assert texts[2] == words[2]
    assert texts.nbytes < 400


CLIPS = 500_000


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_half_a_million_clips_take_tens_of_megabytes(tmp_path, monkeypatch):
    """LIA-X's scale: nothing is opened at setup, and what workers share is small."""
    header = ",".join(COLUMNS) + "\n"
    for split, count in (("train", CLIPS), ("test", 500)):
        (tmp_path / split).mkdir()
        with (tmp_path / split / "index.csv").open("w") as file:
            file.write(header)
            file.writelines(
                f"person{i // 9:06d}#video{i:07d}#segment,person{i // 9:06d},188,25,"
                f"{i // 1500:05d}.tar,{512 + i % 1500 * 350_000},340000\n"
                for i in range(count)
            )
    began = time.perf_counter()
    index = ShardIndex(tmp_path / "train")
    seconds = time.perf_counter() - began
    arrays = (index.frames, index.offsets, index.sizes, index.fps, index.shard)
    size = sum(array.nbytes for array in arrays) + index.names.nbytes + index.identities.nbytes
    assert size < 70e6
    assert seconds < 20  # 4 on two cores
    assert index.names[CLIPS - 1] == f"person{(CLIPS - 1) // 9:06d}#video0499999#segment"

    def refuse(*words):
        raise AssertionError("a shard was opened")

    monkeypatch.setattr(ShardClips, "_bytes", refuse)
    data = FramePairs(str(tmp_path), identities="prefix(#)", identity_sampling=True, batch_size=32)
    data.setup("fit")
    assert data.num_identities == -(-CLIPS // 9)
    began = time.perf_counter()
    pairs = data.train_dataloader().dataset
    assert time.perf_counter() - began < 10
    assert sum(v.nbytes for v in vars(pairs).values() if isinstance(v, np.ndarray)) < 10e6
    assert not any(isinstance(v, list | dict) for v in vars(pairs).values())
    drawn = [pairs._draw((0, n))[0] for n in range(1000)]
    assert [i // 9 for i in drawn] == list(range(1000))
    assert isinstance(pairs, PairDataset)
