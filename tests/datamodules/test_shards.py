"""Clips in shards: the same samples as from files, wherever the shards lie."""

import csv
import io
import json
import shutil
import threading
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import numpy as np
import pytest
import torch
import webdataset

from datamodules import FramePairs
from datamodules.__main__ import main
from datamodules.media import ClipWriter
from datamodules.shards import ShardClips, ShardIndex

SIZE = 32
NAMES = ["anna#1", "anna#2", "bert#1", "bert#2", "cleo#1", "cleo#2", "dora ä#10", "dora ä#9"]


def write_sources(folder):
    """Noise, so that no two clips and frames are alike, of 14 to 21 frames."""
    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(number)
        path = folder / ("test" if number % 4 == 3 else "train") / f"{name}.mp4"
        with ClipWriter(path, Fraction(25)) as writer:
            for _ in range(14 + number):
                coarse = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                writer.write(np.kron(coarse, np.ones((8, 8, 1), np.uint8)))


def prepare(source, root, *words):
    options = ["--size", str(SIZE), "--workers", "2", "--identities", "prefix(#)", *words]
    assert main(["prepare", "folder", str(source), str(root), *options]) == 0


class Ranges(SimpleHTTPRequestHandler):
    """Serves files and parts of files, and notes what was asked for."""

    def do_GET(self):
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data, status = path.read_bytes(), 200
        if "Range" in self.headers and self.server.gives_parts:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            if int(first) >= len(data):
                self.send_error(416)
                return
            data, status = data[int(first) : int(last) + 1], 206
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
            self.server.asked.append((self.path, len(data)))
        if path.suffix == ".tar":
            self.server.delay.wait(0.1)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        with self.server.lock:
            self.server.now -= 1

    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    """`serve(folder)` gives a server of it: its address is `.address`."""
    servers = []

    def start(folder, gives_parts=True):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
        server.folder, server.gives_parts = folder, gives_parts
        server.lock, server.delay = threading.Lock(), threading.Event()
        server.now, server.most, server.asked = 0, 0, []
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """The same clips as mp4 and in shards of a few clips."""
    folder = tmp_path_factory.mktemp("forms")
    write_sources(folder / "source")
    prepare(folder / "source", folder / "mp4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datamodules.prepare.pack.MEGABYTE", 8_000)
        prepare(folder / "source", folder / "shards", "--format", "shards", "--shard-size", "1")
    assert len(list((folder / "shards" / "train").glob("*.tar"))) > 2
    return folder


@pytest.fixture(params=["local", "memory", "http"])
def address(request, forms, serve):
    """The set in shards, on a disk, in a bucket in memory, on a host."""
    if request.param == "local":
        return str(forms / "shards")
    if request.param == "http":
        return serve(forms / "shards").address
    bucket = fsspec.filesystem("memory")
    bucket.put(str(forms / "shards"), f"/{forms.name}", recursive=True)
    return f"memory://{forms.name}"


def pairs(root, **changes):
    return FramePairs(
        **{"root": str(root), "image_size": SIZE, "batch_size": 3, "seed": 5, "repeats": 2,
           "references": 2, "identities": "prefix(#)", "frames": 6, **changes}
    )  # fmt: skip


def loaded(data):
    """Every batch of two epochs, of validation and of prediction."""
    data.setup("fit")
    train = data.train_dataloader()
    batches = []
    for epoch in range(2):
        train.sampler.set_epoch(epoch)
        batches += list(train)
    return batches, list(data.val_dataloader()), list(data.predict_dataloader())


def same(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        equal = torch.equal(value, other[key]) if hasattr(value, "shape") else value == other[key]
        assert equal, key


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("sampling", [False, True])
def test_shards_give_the_same_batches_as_files(forms, address, workers, sampling):
    how = {"num_workers": workers, "identity_sampling": sampling, "cross_pairs": 2}
    for mine, theirs in zip(
        loaded(pairs(address, **how)), loaded(pairs(forms / "mp4", **how)), strict=True
    ):
        assert len(mine) == len(theirs) > 1
        for one, other in zip(mine, theirs, strict=True):
            same(one, other)


def test_what_batches_are_compared_by_can_differ(forms):
    batches, scored, _ = loaded(pairs(forms / "mp4", cross_pairs=2))
    for one, other in [batches[:2], scored[:2], (batches[0], batches[len(batches) // 2])]:
        with pytest.raises(AssertionError):
            same(one, other)


def test_identities_and_numbers_agree(forms):
    files, shards = pairs(forms / "mp4"), pairs(forms / "shards")
    assert files.num_identities == shards.num_identities == 4
    assert files.test_names == shards.test_names
    for mine, theirs in (
        (files.train_clips, shards.train_clips),
        (files.test_clips, shards.test_clips),
    ):
        assert len(mine) == len(theirs)
        for i in range(len(mine)):
            for what in ("name", "identity", "num_frames", "fps"):
                assert getattr(mine, what)(i) == getattr(theirs, what)(i), what


def test_a_cache_holds_the_same_frames(forms):
    kept = pairs(forms / "shards", cache=True, num_workers=2, cross_pairs=1)
    for mine, theirs in zip(loaded(kept), loaded(pairs(forms / "mp4", cross_pairs=1)), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            same(one, other)


def test_a_column_of_identities_comes_from_the_index(forms):
    data = pairs(forms / "shards", identities="csv(manifest.csv,identity)")
    index = data.train_clips.index
    assert [who.replace(" ", "_") for who in index.identities] == [
        name.split("#")[0] for name in index.names
    ]
    assert data.num_identities == 4


# What is asked for.


def test_a_batch_asks_for_its_clips_alone_and_at_once(forms, serve):
    server = serve(forms / "shards")
    data = pairs(server.address, batch_size=4, repeats=4)
    data.setup("fit")
    assert [path for path, _ in server.asked] == ["/train/index.csv", "/test/index.csv"]
    loader = data.train_dataloader()
    server.asked.clear()
    batch = next(iter(loader))
    clips = data.train_clips
    sizes = {clips.name(i): int(clips.index.sizes[i]) for i in range(len(clips))}
    assert sorted(size for _, size in server.asked) == sorted(sizes[n] for n in set(batch["name"]))
    assert server.most == len(set(batch["name"])) > 2


def test_workers_ask_for_no_more(forms, serve):
    server = serve(forms / "shards")
    data = pairs(server.address, batch_size=3, repeats=2, num_workers=2)
    data.setup("fit")
    server.asked.clear()
    names = [set(batch["name"]) for batch in data.train_dataloader()]
    assert len(server.asked) == sum(map(len, names))


# WebDataset.


def test_webdataset_reads_the_shards(forms):
    with (forms / "shards" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        manifest = {row["path"]: row for row in csv.DictReader(file)}
    seen = set()
    for split in ("train", "test"):
        index = ShardIndex(forms / "shards" / split)
        whole = ShardClips(index, range(len(index)), SIZE)
        for shard in sorted((forms / "shards" / split).glob("*.tar")):
            for sample in webdataset.WebDataset(str(shard), shardshuffle=False):
                i = list(index.names).index(sample["__key__"])
                assert sample["mp4"] == whole._bytes(i)
                said, path = (
                    json.loads(sample["json"]),
                    f"{split}/{shard.name}/{index.names[i]}.mp4",
                )
                assert {k: str(v) for k, v in said.items()} == {
                    k: v for k, v in manifest[path].items() if k != "path"
                }
                assert (said["frames"], said["identity"]) == (
                    index.frames[i],
                    index.identities[i],
                )
                seen.add(path)
    assert seen == set(manifest)
    assert len(seen) == len(NAMES)


# What can go wrong.


@pytest.fixture
def copied(forms, tmp_path):
    """A copy of the shards to be damaged."""
    return shutil.copytree(forms / "shards", tmp_path / "shards")


def test_a_truncated_shard_is_named(copied):
    shard = copied / "train" / "00001.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"train/00001\.tar/.*truncated"):
        loaded(pairs(copied, cross_pairs=1))


def test_a_truncated_shard_is_named_far_away(copied, serve):
    for shard in (copied / "train").glob("*.tar"):
        shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises((ValueError, OSError), match=r"http://.*/train/0000\d\.tar/.*#"):
        loaded(pairs(serve(copied).address, cross_pairs=1))


def test_a_host_that_gives_no_parts_is_named(forms, serve):
    data = pairs(serve(forms / "shards", gives_parts=False).address)
    data.setup("fit")
    with pytest.raises(ValueError, match=r"http://.*bytes came instead of .*no parts of files"):
        next(iter(data.train_dataloader()))


def test_a_missing_shard_is_named(copied, serve):
    for shard in (copied / "train").glob("*.tar"):
        shard.unlink()
    for place in (str(copied), serve(copied).address):
        data = pairs(place)
        data.setup("fit")
        with pytest.raises(OSError, match=r"train/0000\d\.tar/.* cannot be fetched"):
            next(iter(data.train_dataloader()))


def test_a_changed_shard_is_named(copied):
    """Its clips lie elsewhere now: what the index points at are other bytes, or another clip."""
    table = (copied / "train" / "index.csv").read_text(encoding="utf-8")
    shard = copied / "train" / "00000.tar"
    shard.write_bytes(b"\0" * 700 + shard.read_bytes())
    with pytest.raises(ValueError, match=r"train/00000\.tar/\S+ is not a video"):
        loaded(pairs(copied))
    shard.write_bytes(shard.read_bytes()[700:])
    rows = list(csv.reader(io.StringIO(table)))
    rows[1][2] = str(int(rows[1][2]) + 1)
    text = "\n".join(",".join(row) for row in rows)
    (copied / "train" / "index.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"its index says \d+: the shard was changed"):
        loaded(pairs(copied))


def test_a_host_that_is_gone(forms, serve):
    server = serve(forms / "shards")
    data = pairs(server.address)
    data.setup("fit")
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=r"http://127\.0\.0\.1.*#\d+\.mp4 cannot be fetched"):
        next(iter(data.train_dataloader()))


def test_a_split_file_does_not_apply(forms):
    with pytest.raises(ValueError, match=r"data\.split_file does not apply to shards"):
        pairs(forms / "shards", split_file="test.txt").setup("fit")


def test_sources_lie_in_shards_too(forms, serve):
    server = serve(forms / "shards")
    for place in (forms / "shards", server.address):
        (batch,) = pairs(place, sources="train", cross_pairs=1).predict_dataloader()
        assert batch["source"].shape == (1, 3, SIZE, SIZE)
        assert (forms / "mp4" / "train" / batch["source_name"][0]).is_file()
