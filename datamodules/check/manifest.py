"""What `manifest.csv` says of a training root, held against what lies there."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.check.look import Look
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
        """List the clips that have a line and are not there."""
        return [path for path in self.rows if path not in found and not (root / path).exists()]

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
