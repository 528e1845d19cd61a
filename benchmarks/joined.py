"""One row out of several records: the newest, and what older ones of the same weights add."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

from benchmarks.report.rows import per_clip

PARTS = ("metrics", "copy_source", "higher_is_better", "detectors", "samples", "left_out")
"""Of a record, by metric."""
CLIP = ("metrics", "copy_source")
"""Of a record's clip, by metric."""


def joined(newer: Mapping[str, Any], older: Mapping[str, Any]) -> dict[str, Any]:
    """Add the metrics that an older record has and the newer one has not.

    Nothing is added where weights, clips or frames are others, or where one record has the values
    of single clips and the other has not.

    Args:
        newer: a record of quality, whose numbers win.
        older: one of the same row under the same protocol.

    Raises:
        ValueError: an entry of `per_clip` is bad, or two have one name.
    """
    if not _same(newer, older):
        return dict(newer)
    made = dict(newer) | {part: _both(newer, older, part) for part in PARTS if part in older}
    known = {clip["name"]: clip for clip in per_clip(older)}
    if known:
        made["per_clip"] = [
            {**clip} | {part: _both(clip, known[clip["name"]], part) for part in CLIP}
            for clip in per_clip(newer)
        ]
    return made


def newest(found: Iterable[dict[str, Any]], who: str) -> list[dict[str, Any]]:
    """Keep the newest record of each row, in the order given.

    Args:
        found: of quality, whose older metrics of the same weights are added, or of a study.
        who: key of what a row is called: `model`, or `name` of a study.
    """
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in found:
        trained = (str(record.get("trained_on")), str(record.get("seed_trained")))
        protocol = record["protocol"]["name"]
        key = (record[who], record["data"], protocol, record["device"], *trained)
        rows.setdefault(key, []).append(record)
    dated = (sorted(row, key=lambda one: str(one["date"])) for row in rows.values())
    return [row[-1] if who == "name" else reduce(lambda a, b: joined(b, a), row) for row in dated]


def _both(newer: Mapping[str, Any], older: Mapping[str, Any], part: str) -> dict[str, Any]:
    # the newer one's columns come first
    known: dict[str, Any] = newer.get(part, {})
    return known | {name: one for name, one in older.get(part, {}).items() if name not in known}


def _same(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    weights = [one["checkpoint"].get("sha256") for one in (newer, older)]
    frames = [one["clips"].get("sha256") for one in (newer, older)]
    names = [[clip["name"] for clip in per_clip(one)] for one in (newer, older)]
    pairs = (weights, frames, names)
    return bool(weights[0] and frames[0]) and all(one == other for one, other in pairs)
