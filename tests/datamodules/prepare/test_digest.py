"""The hash of a clip, against what `sha256sum` would print."""

import hashlib

import pytest

from datamodules.prepare.digest import digest_of


def test_a_file_has_the_published_hash_of_its_bytes(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"abc")
    # FIPS 180-4, the first example
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_of(path) == known


def test_a_folder_is_hashed_in_natural_order(tmp_path):
    contents = {"2.png": b"two", "10.png": b"ten", "1.png": b"one"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".DS_Store").write_bytes(b"left by a file manager")
    (tmp_path / "inside").mkdir()
    hashes = [hashlib.sha256(contents[n]).hexdigest() for n in ("1.png", "2.png", "10.png")]
    assert digest_of(tmp_path) == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def test_changed_and_exchanged_frames_change_a_folders_hash(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(name.encode())
    before = digest_of(tmp_path)
    (tmp_path / "1.png").write_bytes(b"2.png")
    (tmp_path / "2.png").write_bytes(b"1.png")
    assert digest_of(tmp_path) != before


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        digest_of(tmp_path / "none.mp4")
