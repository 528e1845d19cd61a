import numpy as np
import pytest

from animators.metrics import Protocol


@pytest.fixture
def record():
    """Make a record of a quality measurement: `record("lia", l1=[values of clips], psnr=...)`.

    Its numbers are the means of the clips' values, so `record` without them is an old one.
    """

    def make(model="lia", *, copied=0.2, **content):
        metrics = {name: content.pop(name) for name in ("l1", "psnr", "akd") if name in content}
        count = max((len(values) for values in metrics.values()), default=0)
        clips = [
            {
                "name": f"clip{i}.mp4",
                "motion": copied,
                "metrics": {name: values[i] for name, values in metrics.items()},
                "copy_source": {"l1": copied + 0.01 * (i - (count - 1) / 2)},
            }
            for i in range(count)
        ]
        numbers = {
            name: float(np.nanmean(np.array(values, dtype=float)))
            for name, values in metrics.items()
        }
        made = {
            "format": 1,
            "kind": "quality",
            "model": model,
            "data": "toy",
            "protocol": {"name": Protocol(64).name},
            "metrics": numbers or {"l1": 0.1, "psnr": 12.0},
            "copy_source": {"l1": copied},
            "higher_is_better": {"l1": False, "psnr": True, "akd": False},
            "checkpoint": {"trained": {"pairs_seen": 1200}, "init_args": {}},
            "clips": {"count": count or 3, "frames": 93, "sha256": "cd"},
            "device": "Some CPU",
            "date": "2026-01-02T03:04:05+00:00",
        }
        return made | ({"per_clip": clips} if clips else {}) | content

    return make
