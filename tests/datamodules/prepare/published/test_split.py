"""Who is tested on, where the list does not say or the user says otherwise."""

import hashlib
from collections import Counter

import pytest

from datamodules.prepare.published.plan import plan
from tests.datamodules.prepare.published.lists import write

TED = [f"talk{t}#{1000 * c:06d}#{1000 * c + 200:06d}" for t in range(11) for c in range(6)]


def ted_split(path, ids, **options):
    table = write(path / "t.csv", *(f"{name},0,0,0-0-9-9,10.0,9,9,train" for name in ids))
    (path / "films").mkdir(exist_ok=True)
    for name in ids:
        (path / "films" / f"{name.split('#')[0]}.mp4").write_bytes(b"film")
    return {job.name: job.split for job in plan("ted", table, path / "films", **options).jobs}


def test_teds_own_split_is_by_identity_and_the_same_for_any_order(tmp_path):
    split = ted_split(tmp_path, TED)
    assert ted_split(tmp_path, TED[::-1]) == split
    sides = {
        side: {n.split("#")[0] for n, s in split.items() if s == side} for side in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    # 66 * 120 / 1320 = 6 clips: one talk, the first by its hash
    order = sorted(
        {n.split("#")[0] for n in TED}, key=lambda n: hashlib.sha256(n.encode()).digest()
    )
    assert sides["test"] == {order[0]}
    assert Counter(split.values()) == {"train": 60, "test": 6}


def test_teds_split_does_not_depend_on_what_was_downloaded(tmp_path):
    whole = ted_split(tmp_path, TED)
    for talk in range(0, 11, 2):
        (tmp_path / "films" / f"talk{talk}.mp4").unlink()
    got = plan("ted", tmp_path / "t.csv", tmp_path / "films")
    assert {job.name: job.split for job in got.jobs}.items() <= whole.items()
    assert sum(lack.clips for lack in got.missing) == 36


@pytest.mark.parametrize("line", ["talk3#002000#002200", "talk3#002000#002200.mp4", "talk3"])
def test_the_users_own_test_list(tmp_path, line):
    listed = tmp_path / "test.txt"
    listed.write_text(f"# of the paper\n\n{line}\nnobody\n", encoding="utf-8-sig")
    split = ted_split(tmp_path, TED, test=listed)
    test = {name for name, side in split.items() if side == "test"}
    assert test == {n for n in TED if n.startswith(line.removesuffix(".mp4"))}
    notes = plan("ted", tmp_path / "t.csv", tmp_path / "films", test=listed).notes
    assert any(note == "1 lines of test.txt name no clip: nobody" for note in notes)


@pytest.mark.parametrize(
    ("lines", "says"), [("nobody", "no clip for test"), ("talk0", "for train")]
)
def test_a_test_list_that_does_not_fit(tmp_path, lines, says):
    listed = tmp_path / "test.txt"
    listed.write_text(lines)
    with pytest.raises(ValueError, match=says):
        ted_split(tmp_path, TED[:6], test=listed)
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        ted_split(tmp_path, TED[:6], test=tmp_path / "none.txt")
