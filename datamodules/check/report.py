"""What was found in a training root, as text and as a table."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

from datamodules.check.leaks import Pair
from datamodules.check.look import Look
from datamodules.splits import Split

SHOWN = 20
"""Lines of a section; the rest is counted."""

COLUMNS = ("path", "split", "identity", "frames", "fps", "width", "height", "motion", "problem")


@dataclass
class Found:
    """One clip as it was found.

    Attributes:
        path: below root.
        split: where it lies.
        identity: who is shown; empty where that is not known.
        look: what it holds; None where it cannot be read.
        broken: why it cannot be used.
        shared: clips that show the same.
    """

    path: str
    split: Split
    identity: str = ""
    look: Look | None = None
    broken: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)


@dataclass
class Report:
    """All that was found.

    Attributes:
        clips: every one, train first.
        broken: lines about files that are no clips: listed and missing, a damaged manifest.
        notes: lines that are worth knowing.
        pairs: clips that show the same, by their numbers.
        known: identities are known; without it each clip counts as one.
    """

    clips: list[Found]
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    known: bool = True

    def broken_lines(self) -> list[str]:
        """List what is broken, a line each."""
        return self.broken + [f"{c.path}: {'; '.join(c.broken)}" for c in self.clips if c.broken]

    def leak_lines(self) -> list[str]:
        """List what train and test share: clips, mirrored clips, identities."""
        across = [p for p in self.pairs if self.clips[p.a].split != self.clips[p.b].split]
        lines = [self._pair_line(p) for p in across if not p.mirrored]
        lines += [self._pair_line(p) for p in across if p.mirrored]
        return lines + self._identity_lines()

    def note_lines(self) -> list[str]:
        """List what is no fault in itself."""
        lines = list(self.notes)
        for what, value in (("size", size_of), ("rate", rate_of)):
            lines += self._odd_lines(what, value)
        still = [c.path for c in self.clips if c.look and c.look.still and c.look.frames > 1]
        lines += [f"{path}: nothing moves, so there is nothing to learn" for path in still]
        within = [p for p in self.pairs if self.clips[p.a].split == self.clips[p.b].split]
        return lines + [self._pair_line(p) for p in within]

    def _pair_line(self, pair: Pair) -> str:
        kind = "mirrored clip" if pair.mirrored else "same clip"
        frames = f"{pair.agreement.frames} frames"
        return f"{kind}: {self.clips[pair.a].path} and {self.clips[pair.b].path} ({frames})"

    def _identity_lines(self) -> list[str]:
        if not self.known:
            return []
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for clip in self.clips:
            if clip.identity:
                counts[clip.identity][clip.split] += 1
        return [
            f"identity: {name} is in both splits ({count['train']} clips of train, "
            f"{count['test']} of test)"
            for name, count in sorted(counts.items())
            if len(count) > 1
        ]

    def _odd_lines(self, what: str, value: Callable[[Look], str]) -> list[str]:
        counts = Counter(value(c.look) for c in self.clips if c.look)
        if len(counts) < 2:
            return []
        usual, often = counts.most_common(1)[0]
        if 2 * often <= sum(counts.values()):
            return [f"most clips have no {what} in common: {spelled(counts)}"]
        return [
            f"{c.path}: its {what} is {value(c.look)}, most have {usual}"
            for c in self.clips
            if c.look and value(c.look) != usual
        ]

    def text(self) -> str:
        """Put everything into one text: a table, then what is broken, leaks, notes."""
        broken, leaks = self.broken_lines(), self.leak_lines()
        parts = [_table(self._rows()), _section("BROKEN", broken), _section("LEAKS", leaks)]
        return "\n".join([*parts, _section("NOTES", self.note_lines())])

    def _rows(self) -> Iterable[Sequence[str]]:
        yield (
            "split", "clips", "frames", "hours", "size", "fps", "identities", "clips/identity",
        )  # fmt: skip
        for split in ("train", "test"):
            clips = [c for c in self.clips if c.split == split]
            looks = [c.look for c in clips if c.look]
            seconds = sum(float(look.frames / look.fps) for look in looks)
            people = Counter(c.identity for c in clips if c.identity).values()
            yield (
                split,
                str(len(clips)),
                str(sum(look.frames for look in looks)),
                f"{seconds / 3600:.2f}",
                spelled(Counter(map(size_of, looks))),
                spelled(Counter(map(rate_of, looks))),
                str(len(people)) if self.known else "unknown",
                f"{min(people)}/{median(people):g}/{max(people)}" if self.known and people else "-",
            )

    def as_csv(self) -> str:
        """Give one line a clip."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip in self.clips:
            look = clip.look
            facts: tuple[object, ...] = ("", "", "", "", "")
            if look is not None:
                facts = look.frames, look.fps, look.width, look.height, f"{look.motion:.4f}"
            still = ["nothing moves"] if look and look.still and look.frames > 1 else []
            problem = "; ".join(clip.broken + still + clip.shared)
            writer.writerow((clip.path, clip.split, clip.identity, *facts, problem))
        return file.getvalue()


def size_of(look: Look) -> str:
    """Spell a clip's size."""
    return f"{look.width}x{look.height}"


def rate_of(look: Look) -> str:
    """Spell a clip's rate."""
    return f"{float(Fraction(look.fps)):.2f}".rstrip("0").rstrip(".")


def spelled(counts: Counter[str]) -> str:
    """Spell the three commonest values and how many others there are."""
    shown = [f"{value} ({count})" for value, count in counts.most_common(3)]
    if len(counts) == 1:
        return next(iter(counts))
    others = len(counts) - len(shown)
    return ", ".join(shown) + (f", {others} others" if others else "") or "-"


def _section(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return f"\n{title}: none"
    rest = len(lines) - SHOWN
    more = [f"  ... and {rest} more"] if rest > 0 else []
    return "\n".join([f"\n{title}: {len(lines)}", *(f"  {x}" for x in lines[:SHOWN]), *more])


def _table(rows: Iterable[Sequence[str]]) -> str:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
