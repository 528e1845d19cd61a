"""The command for TED-talks: ranges inside the ids, boxes of square cuts, no test clips."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from datamodules import media
from datamodules.prepare.head import detector
from datamodules.prepare.published.split import deal_by_identity
from tests.datamodules.prepare.originals import (
    clips,
    film,
    metadata,
    must_be_sound,
    must_train,
    numbers,
    prepare,
    read,
    table_of,
)


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


def test_ted_is_ready(ted):
    talks = {name.split("#")[0] for name, side in ted.split.items() if side == "train"}
    must_train("ted", ted.base / "roots", sorted(talks))
    must_be_sound(ted.base / "roots" / "ted")
