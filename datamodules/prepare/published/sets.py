"""The sets whose clips are cut out of online videos by a list, and what is known of each."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that `--help` answers at once
    from datamodules.prepare.published.rows import Row

_LISTS = "github.com/AliaksandrSiarohin/video-preprocessing"


@dataclass(frozen=True)
class Published:
    """What is known of a set.

    Attributes:
        name: what the command calls it.
        about: what it is.
        where: where its owners publish the list and the originals.
        size: side of the published clips.
        fps: their rate; None where they have their originals'.
        listed: clips for training and testing in the owners' list.
        papers: paper, clips for training, clips for testing.
        by_person: an identity is the list's person; else it is the video.
        own_split: the list marks no test clip, so a split has to be made.
    """

    name: str
    about: str
    where: str
    size: int
    listed: tuple[int, int]
    papers: tuple[tuple[str, int, int], ...]
    fps: float | None = None
    by_person: bool = False
    own_split: bool = False

    def identity(self, row: "Row") -> str:
        """Return who a row shows; empty where the list does not say.

        A list without `person_id` may have the person in its ids, as `youtube#person`.
        """
        if not self.by_person:
            return row.video_id
        return row.person_id or row.video_id.partition("#")[2]

    def clip_name(self, row: "Row") -> str:
        """Return `video#start#end`, or `person#video#start#end`, as the published clips are called.

        What stands before the first # is the identity.
        """
        parts = [row.video_id.partition("#")[0], f"{row.start:06d}", f"{row.end:06d}"]
        return "#".join([self.identity(row), *parts] if self.by_person else parts)


PUBLISHED: Mapping[str, Published] = {
    "taichi": Published(
        name="taichi",
        about="TaiChiHD: people doing tai chi, whole bodies before a still camera",
        where=f"taichi-metadata.csv in {_LISTS}; the originals are on youtube.com",
        size=256,
        listed=(3049, 285),
        papers=(("LIA", 1096, 115), ("DiME", 682, 87), ("Swin/TPS", 2867, 253)),
    ),
    "vox": Published(
        name="vox",
        about="VoxCeleb1: faces of people interviewed, cut to 256 pixels",
        where=(
            f"vox-metadata.csv in {_LISTS}; the set itself at "
            "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/, the originals on youtube.com"
        ),
        size=256,
        fps=25,
        listed=(19550, 525),
        papers=(("LIA", 17928, 495), ("DiME", 18314, 507), ("Swin/TPS", 19522, 525)),
        by_person=True,
    ),
    "ted": Published(
        name="ted",
        about="TED-talks: speakers on a stage, upper bodies",
        where=(
            "data/ted-metadata.csv in github.com/snap-research/articulated-animation (its owners "
            "give ted384-metadata.csv in issue 12 there as the right list); the originals are on "
            "youtube.com"
        ),
        size=384,
        listed=(1320, 0),
        papers=(("LIA", 1124, 130), ("DiME", 1200, 120)),
        own_split=True,
    ),
}
"""The sets by name."""


def fetch_command(originals: Path, ids: Path) -> str:
    """Return the command by which the user gets originals; it goes on where it was stopped.

    The sound is not wanted, so that the large pictures, which come without it, are taken.

    Args:
        originals: folder to download into.
        ids: file of the videos' addresses.
    """
    template = str(originals).replace("%", "%%") + "/%(id)s.%(ext)s"
    words = ("yt-dlp", "--ignore-errors", "--download-archive", str(originals / "done.txt"),
             "-f", "bv*[ext=mp4][height<=1080]/bv*[height<=1080]/b", "-o", template,
             "-a", str(ids))  # fmt: skip
    return shlex.join(words)
