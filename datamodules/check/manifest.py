"""What `manifest.csv` says of a training root, held against what lies there."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from datamodules.check.look import Look
from datamodules.prepare.journal import SHARD
from datamodules.shard_index import INDEX
from datamodules.splits import read_table

MANIFEST = "manifest.csv"
COLUMNS = ("path", "frames", "sha256")


@dataclass(frozen=True)
class Manifest:
    """The lines of a root's manifest.

    Attributes:
        rows: by the clip's path below root; empty where there is no manifest.
        problem: why it cannot be read, or nothing.
        there: there is such a file.
    """

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    problem: str = ""
    there: bool = False

    @classmethod
    def of(cls, root: Path) -> "Manifest":
        """Read the manifest of a root, if it has one; a damaged one is a problem, no error."""
        path = root / MANIFEST
        if not path.exists():
            return cls()
        try:
            rows = {row["path"]: row for row in read_table(path, COLUMNS)}
        except (ValueError, OSError) as error:
            return cls(problem=str(error).replace(str(path), MANIFEST), there=True)
        return cls(rows, there=True)

    def missing(self, root: Path, found: Collection[str]) -> list[str]:
        """Say which clips have a line and are not there, a line each.

        Args:
            root: of the set.
            found: every clip that was looked for and is there, below root.
        """
        places = {shard.parent for path in found if (shard := _shard_of(path)) is not None}
        lines = []
        for path in self.rows:
            shard = _shard_of(path)
            if path in found:
                continue
            if shard is not None and shard.parent in places:
                where = f"not in {shard.parent / INDEX}"
                lines.append(f"{path}: listed in {MANIFEST}, but {where}")
            elif not (root / (shard or path)).exists():
                lines.append(f"{path}: listed in {MANIFEST}, but missing")
        return lines

    def problem_of(self, path: str, look: Look | None, *, quick: bool) -> str:
        """Say how a clip differs from its line, or nothing.

        Args:
            path: the clip's, below root.
            look: what it holds; None where it cannot be read.
            quick: neither hash nor frames were counted from the file itself.
        """
        if not self.rows:
            return ""
        row = self.rows.get(path)
        if row is None:
            return f"not listed in {MANIFEST}"
        if look is None:
            return ""
        if not quick and look.sha256 != row["sha256"]:
            return f"changed since it was prepared: its sha256 is not the one in {MANIFEST}"
        if str(look.frames) != row["frames"].strip():
            return f"has {look.frames} frames, {MANIFEST} says {row['frames']}"
        return ""


def _shard_of(path: str) -> PurePosixPath | None:
    """Name the shard that a clip lies in; None where it is a file or folder of its own."""
    above = PurePosixPath(path).parent
    return above if above.suffix == SHARD else None
