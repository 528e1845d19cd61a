"""Downloaded originals, found by the ids of their videos."""

import os
from collections import defaultdict
from pathlib import Path

from datamodules import media


class Originals:
    """Videos below a folder, each found by its id.

    A video is `ID.mp4` or another video ending, at any depth (so also `PERSON/ID.mp4`), or a
    folder `ID` (or `ID.mp4`) that holds one video, or frames. Hidden files, unfinished
    downloads (`ID.mp4.part`) and empty files are no originals.

    Args:
        root: the folder.

    Attributes:
        root: the folder.
        notes: what the user should know, filled by `find` and while looking around.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise FileNotFoundError(
                f"the folder of originals {root} does not exist: make it and download into it, "
                "each video as ID.mp4"
            )
        self.root = root
        self.notes: list[str] = []
        self._by_id: dict[str, list[Path]] = defaultdict(list)
        self._told: set[str] = set()
        self._look()

    def find(self, video_id: str, person_id: str = "") -> Path | None:
        """Return the original of a video; None where there is none.

        Of several the one below a folder called `person_id` is taken, then an mp4, then the
        one least deep, then the first by name; that there are several is noted.
        """
        found = self._by_id.get(video_id, [])
        if not found:
            return None

        def rank(path: Path) -> tuple[bool, bool, int, str]:
            parts = path.relative_to(self.root).parts
            strange = bool(person_id) and person_id not in parts[:-1]
            return strange, path.suffix.lower() != ".mp4", len(parts), path.as_posix()

        best, *others = sorted(found, key=rank)
        if others and video_id not in self._told:
            self._told.add(video_id)
            self.notes.append(
                f"{video_id} lies there {len(found)} times: took {self.label(best)}, not "
                + ", ".join(self.label(path) for path in others)
            )
        return best

    def label(self, path: Path) -> str:
        """Return the path below the folder, as reports show it."""
        return path.relative_to(self.root).as_posix()

    def _look(self) -> None:
        seen = set()
        walk = os.walk(self.root, followlinks=True, onerror=lambda e: self.notes.append(str(e)))
        for here, folders, files in walk:
            folder = Path(here)
            real = folder.resolve()
            if real in seen:  # a link back up
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            self._take(folder, sorted(name for name in files if not name.startswith(".")))

    def _take(self, folder: Path, files: list[str]) -> None:
        """Enter the videos of one folder, and the folder where it is one itself."""
        videos = []
        for name in files:
            path = folder / name
            if path.suffix.lower() not in media.VIDEOS:
                continue
            if path.stat().st_size == 0:
                self.notes.append(f"{self.label(path)} is empty (0 bytes): taken as not there")
                continue
            videos.append(path)
            self._by_id[path.stem].append(path)
        if folder == self.root:
            return
        name = folder.stem if folder.suffix.lower() in media.VIDEOS else folder.name
        if len(videos) == 1 and videos[0].stem != name:
            self._by_id[name].append(videos[0])
        elif not videos and any(Path(file).suffix.lower() in media.PICTURES for file in files):
            self._by_id[name].append(folder)
