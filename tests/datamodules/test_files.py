import pytest

from datamodules.files import write_whole


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "new/a.txt"
    write_whole(path, "old é\n")
    assert path.read_bytes() == "old é\n".encode()
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \udcff")
    assert path.read_text(encoding="utf-8") == "old é\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
