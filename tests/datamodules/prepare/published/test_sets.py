"""What is known of the sets."""

import itertools
import shlex

from datamodules.prepare.published.sets import PUBLISHED, fetch_command


def test_what_is_known_of_the_sets():
    assert set(PUBLISHED) == {"taichi", "vox", "ted"}
    assert [PUBLISHED[name].size for name in ("taichi", "vox", "ted")] == [256, 256, 384]
    assert [PUBLISHED[name].fps for name in ("taichi", "vox", "ted")] == [None, 25, None]
    for (name, one), word in itertools.product(PUBLISHED.items(), ("github.com", "youtube.com")):
        assert one.name == name
        assert word in one.where


def test_the_download_command_survives_odd_folders(tmp_path):
    folder = tmp_path / "50 % off's"
    words = shlex.split(fetch_command(folder, folder / "ids.txt"))
    assert words[0] == "yt-dlp"
    template = words[words.index("-o") + 1]
    assert template % {"id": "-a_b", "ext": "mp4"} == f"{folder}/-a_b.mp4"
    assert words[words.index("-a") + 1] == f"{folder}/ids.txt"
