import json
import math
from dataclasses import replace

import pytest

from datamodules.prepare.jobs import Made, Settings


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"size": 14}, "--size"),
        ({"size": 255}, "--size"),
        ({"size": -256}, "--size"),
        ({"fps": 0.0}, "--fps"),
        ({"fps": 1e-4}, "--fps"),
        ({"fps": -25.0}, "--fps"),
        ({"fps": math.nan}, "--fps"),
        ({"min_frames": 0}, "--min-frames"),
        ({"min_frames": 5, "max_frames": 4}, "--max-frames"),
        ({"key_interval": 0}, "--key-interval"),
        ({"crf": -1}, "--crf"),
        ({"crf": 52}, "--crf"),
    ],
)
def test_values_outside_their_range_are_named(values, option):
    with pytest.raises(ValueError, match=f"^{option} "):
        Settings(**values)


def test_values_at_the_ends_are_taken():
    kept = Settings(size=16, fps=0.01, min_frames=1, max_frames=1, key_interval=1, crf=0)
    assert json.loads(json.dumps(kept.as_dict())) == kept.as_dict()
    assert Settings(crf=51).crf == 51


@pytest.mark.parametrize(
    "path", ["train/a#b.mp4", "train/a#b", "train/a#b.png", "train/00000.tar/a#b.mp4"]
)
def test_what_was_made_knows_its_name(path):
    made = Made(path, "train", "who", "src", 3, "30000/1001", 64, 64, "head", "0,0,9,9", 1, "ff",
                key="k")  # fmt: skip
    assert made.name == "a#b"
    again = Made.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again == made
    assert again.key == "k"
    assert replace(made, key="other") == made  # what it was made from does not tell clips apart


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_notes_of_another_making_are_refused(change):
    made = Made("train/a.mp4", "train", "who", "a", 3, "25", 64, 64, "none", "0,0,9,9", 0, "ff")
    values = made.as_dict()
    assert Made.from_dict(values) == made
    values = values | {"new": 1} if change == "more" else {"path": "train/a.mp4"}
    with pytest.raises(TypeError):
        Made.from_dict(values)
