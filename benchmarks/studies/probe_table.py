"""The table of `study identity_probe`, and what its first two rows say of each other."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

MOST_FALL = 0.1
"""By how much of itself the motion figure may fall."""


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two rows on the same splits.

    Returns:
        `identity_lower_in`: splits in which the first one's identity is read less well;
        `motion_fall`: by how much of the second's mean motion figure the first's is lower, None
        where there is none above 0; `motion_fell`: whether that is more than `MOST_FALL`.
    """
    pairs = zip(first["identity"], second["identity"], strict=True)
    found = {"identity_lower_in": sum(a < b for a, b in pairs), "motion_fall": None}
    if first["motion_figure"] is not None:
        mine, theirs = (statistics.fmean(row["motion_figure"]) for row in (first, second))
        found["motion_fall"] = 1 - mine / theirs if theirs > 0 else None
    fall = found["motion_fall"]
    return {**found, "motion_fell": None if fall is None else fall > MOST_FALL}


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    clips, rows, chance = record["clips"], record["rows"], record["chance"]
    motions = list(rows[0]["motion"])
    heads = ["", "feature", "numbers", "identity", "chance"]
    for name in motions:
        heads += [f"{name} (chance)" if name in chance["motion"] else f"{name} R2"]
    heads += ["motion"] if len(motions) > 1 else []
    lines = [
        f"### What linear probes read ({record['name']}), {record['data']}, {record['device']}",
        "",
        f"{clips['persons']} persons with {clips['recordings']} recordings, {clips['frames']} "
        f"frames; {clips['persons_left_out']} persons with one recording left out. Tested on other "
        f"recordings than learnt from, {record['settings']['seeds']} splits: mean (least to most).",
        *([_verdict(record)] if record["comparison"] else []),
        "",
        f"| {' | '.join(heads)} |",
        f"|---|---|{'---:|' * (len(heads) - 2)}",
    ]
    for row in rows:
        cells = [row["row"], row["feature"], str(row["dimensions"]), _range(row["identity"])]
        cells += [f"{statistics.fmean(chance['identity']):.3f}"]
        for name in motions:
            guess = chance["motion"].get(name)
            beside = "" if guess is None else f" ({guess:.3f})"
            cells += [_range(row["motion"][name]) + beside]
        cells += [f"{statistics.fmean(row['motion_figure']):.3f}"] if len(motions) > 1 else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _range(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _verdict(record: Mapping[str, Any]) -> str:
    first, second = record["rows"][:2]
    found = record["comparison"]
    told = (
        f"{first['row']} against {second['row']}: identity is read less well in "
        f"{found['identity_lower_in']} of {len(first['identity'])} splits; "
    )
    if found["motion_fall"] is None:
        return told + "there is no motion figure to compare."
    fall = found["motion_fall"]
    change = f"{abs(100 * fall):.1f} % {'lower' if fall > 0 else 'higher'}"
    verdict = "it FELL by more" if found["motion_fell"] else "it did not fall by more"
    return f"{told}the motion figure is {change}: {verdict} than {100 * MOST_FALL:.0f} %."
