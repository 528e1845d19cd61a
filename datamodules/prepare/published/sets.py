"""The sets whose clips are cut out of online videos by a list, and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from datamodules.prepare.jobs import Settings
from datamodules.prepare.published.rows import Row

_FETCH = "yt-dlp --download-archive done.txt -f mp4 -o 'DIR/%(id)s.%(ext)s' -a ids.txt"
_LISTS = "github.com/AliaksandrSiarohin/video-preprocessing"


@dataclass(frozen=True)
class Published:
    """What is known of a set.

    Attributes:
        name: what the command calls it.
        about: what it is.
        where: where its owners publish the list and the originals.
        fetch: command by which the user gets the originals; it goes on where it was stopped.
        settings: of the published clips. No least number of frames: the list holds none
            that are too short, and a copy at a lower rate has fewer frames by right.
        listed: clips for training and testing in the owners' list.
        papers: paper, clips for training, clips for testing.
        by_person: an identity is the list's person; else it is the video.
        own_split: the list marks no test clip, so a split has to be made.
    """

    name: str
    about: str
    where: str
    settings: Settings
    listed: tuple[int, int]
    papers: tuple[tuple[str, int, int], ...]
    fetch: str = _FETCH
    by_person: bool = False
    own_split: bool = False

    def identity(self, row: Row) -> str:
        """Return who a row shows; empty where the list does not say.

        A list without `person_id` may have the person in its ids, as `youtube#person`.
        """
        if not self.by_person:
            return row.video_id
        return row.person_id or row.video_id.partition("#")[2]

    def clip_name(self, row: Row) -> str:
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
        settings=Settings(size=256),
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
        settings=Settings(size=256, fps=25),
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
        settings=Settings(size=384),
        listed=(1320, 0),
        papers=(("LIA", 1124, 130), ("DiME", 1200, 120)),
        own_split=True,
    ),
}
"""The sets by name."""
