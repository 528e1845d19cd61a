import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.page import films
from tests.benchmarks.conftest import TOY

NAME = "reconstruction-64px-9frames-source0-remaining-0ref-pervideo@own@12-1a2b3c4d"
ODD = "lia <b>&\"x'"
FACTORS = {"fomm": 1.2, "tpsmm": 0.5, ODD: 0.8}


def make_record(model, factor, **changes):
    """A record of twelve clips, all of whose numbers are copy-source's times a factor."""
    motion = np.random.default_rng(0).uniform(0.02, 0.2, (12, 8))
    noise = 1 + 0.01 * np.random.default_rng(len(model)).standard_normal((12, 8))
    l1 = factor * motion * noise
    per_clip = [
        {
            "name": f"clip-{k:02d}",
            "motion": float(motion[k].mean()),
            "metrics": {"l1": float(l1[k].mean()), "psnr": float(20 - l1[k].mean())},
            "copy_source": {"l1": float(motion[k].mean()), "psnr": float(20 - motion[k].mean())},
            "l1": l1[k].tolist(),
            "motion_frames": motion[k].tolist(),
        }
        for k in range(12)
    ]
    return {
        "format": 1,
        "kind": "quality",
        "model": model,
        "data": "toy",
        "protocol": {"name": NAME, "references": 0, "label": "recon-lia"},
        "metrics": {"l1": float(l1.mean()), "psnr": float(20 - l1.mean())},
        "copy_source": {"l1": float(motion.mean()), "psnr": float(20 - motion.mean())},
        "higher_is_better": {"l1": False, "psnr": True},
        "checkpoint": {"file": "best.ckpt", "sha256": "ab" * 32, "trained": {"pairs_seen": 19968}},
        "clips": {"count": 12, "frames": 96, "sha256": "cd" * 32},
        "cost": {"parameters": 1234, "frames_per_second": 17.5},
        "device": "some CPU",
        "date": "2026-11-22T05:00:00+00:00",
        "git": "0123456789abcdef",
        "seed": 0,
        "command": f"python -m benchmarks run --name {model}",
        "per_clip": per_clip,
        **changes,
    }


@pytest.fixture
def records(tmp_path):
    """Files of three records, one with a name that is no HTML."""
    paths = []
    for k, (model, factor) in enumerate(FACTORS.items()):
        paths.append(tmp_path / f"record-{k}.json")
        paths[-1].write_text(json.dumps(make_record(model, factor)))
    return paths


@pytest.fixture(scope="session")
def filmed(checkpoint, tmp_path_factory):
    """Folders of films: two toy clips rebuilt by two columns, and one cross-identity pair."""
    folder = tmp_path_factory.mktemp("films")
    words = ["--checkpoint", f"{ODD}={checkpoint}", f"again={checkpoint}", "--data", "toy", *TOY]
    words += ["--frames", "4", "--device", "cpu"]
    found = SimpleNamespace(rebuilt=folder / "rebuilt", crossed=folder / "crossed")
    assert films.main([*words, "--clips", "2", "--output", str(found.rebuilt)]) == 0
    cross = ["--cross", "--mode", "relative", "--clips", "1", "--output", str(found.crossed)]
    assert films.main([*words, *cross]) == 0
    return found
