"""Downloaded originals in all the folders that users keep them in."""

import pytest

from datamodules.prepare.published.originals import Originals


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")


@pytest.mark.parametrize(
    "name",
    [
        "-a_b.mp4",
        "-a_b.MKV",
        "deep/er/-a_b.webm",
        "-a_b/original.mp4",
        "-a_b/-a_b.mp4",
        "-a_b/000.png",
        "-a_b.mp4/000.png",
    ],
)
def test_an_original_is_found_by_its_id(tmp_path, name):
    fill(tmp_path, name)
    found = Originals(tmp_path).find("-a_b")
    place = tmp_path / name
    assert found == (place.parent if name.endswith(".png") else place)


@pytest.mark.parametrize(
    "name", ["ID.mp4", "id.mp4.part", "id.f137.mp4", ".id.mp4", ".old/id.mp4", "id.txt", "xid.mp4"]
)
def test_what_is_no_original_is_not_taken(tmp_path, name):
    fill(tmp_path, name)
    assert Originals(tmp_path).find("id") is None


def test_an_empty_file_is_fetched_again(tmp_path):
    (tmp_path / "id.mp4").touch()
    there = Originals(tmp_path)
    assert there.find("id") is None
    assert there.notes == ["id.mp4 is empty (0 bytes): taken as not there"]


def test_a_folder_of_several_videos_is_no_original(tmp_path):
    fill(tmp_path, "id/00001.mp4", "id/00002.mp4")
    assert Originals(tmp_path).find("id") is None


def test_of_two_endings_mp4_is_taken_and_said_once(tmp_path):
    fill(tmp_path, "a/id.mp4", "id.avi", "id.webm")
    there = Originals(tmp_path)
    assert [there.find("id"), there.find("id")] == [tmp_path / "a" / "id.mp4"] * 2
    assert there.notes == ["id lies there 3 times: took a/id.mp4, not id.avi, id.webm"]


def test_a_video_of_two_persons_is_taken_from_the_right_folder(tmp_path):
    fill(tmp_path, "p1/id.mp4", "p2/id.mp4")
    assert Originals(tmp_path).find("id", "p2") == tmp_path / "p2" / "id.mp4"


def test_links_that_lead_in_a_circle_end(tmp_path):
    fill(tmp_path, "sub/id.mp4")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert Originals(tmp_path).find("id") == tmp_path / "sub" / "id.mp4"


def test_a_missing_folder_of_originals(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"originals .*none"):
        Originals(tmp_path / "none")
