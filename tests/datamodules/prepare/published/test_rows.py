"""Published lists, good and spoilt."""

import pytest

from datamodules.prepare.jobs import Box
from datamodules.prepare.published.rows import read_metadata

HEADER = "video_id,start,end,bbox,fps,width,height,partition"
GOOD = "abc,10,20,5-6-45-46,29.97,64,48,test"


def write(path, *lines, header=HEADER, encoding="utf-8", end="\n"):
    path.write_bytes(end.join([header, *lines, ""]).encode(encoding))
    return path


def test_a_row_is_read(tmp_path):
    (row,) = read_metadata(write(tmp_path / "a.csv", GOOD))
    assert (row.number, row.text, row.fault) == (2, GOOD, "")
    assert (row.video_id, row.start, row.end, row.fps) == ("abc", 10, 20, 29.97)
    assert row.box == Box(5, 6, 45, 46, 64, 48)
    assert (row.partition, row.person_id, row.cut_id) == ("test", "", "")


@pytest.mark.parametrize(
    ("encoding", "end"), [("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\r\n")]
)
def test_marks_and_line_ends_of_other_systems(tmp_path, encoding, end):
    path = write(tmp_path / "a.csv", GOOD, "", GOOD, encoding=encoding, end=end)
    assert [row.number for row in read_metadata(path)] == [2, 4]
    assert not any(row.fault for row in read_metadata(path))


def test_columns_may_stand_in_another_order_and_be_more(tmp_path):
    header = "person_id,partition, height,width,fps,bbox,end,start,video_id,remark"
    path = write(tmp_path / "a.csv", "id1,train,48,64,25,5-6-45-46,20,10,abc,none", header=header)
    (row,) = read_metadata(path)
    assert (row.fault, row.video_id, row.person_id, row.end) == ("", "abc", "id1", 20)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({0: ""}, "video_id is empty"),
        ({0: "../../etc/x"}, "cannot be part of a file name"),
        ({0: ".hidden"}, "cannot be part"),
        ({0: "a\tb"}, "cannot be part"),
        ({0: "é" * 60}, "longer than 100 bytes"),
        ({1: "x"}, "start 'x' is not a frame number"),
        ({1: "nan"}, "not a frame number"),
        ({1: "-3"}, "not a frame number"),
        ({1: "3.5"}, "not a frame number"),
        ({1: "9" * 5000}, "not a frame number"),
        ({2: "10"}, "end 10 is not after start 10"),
        ({2: "9"}, "end 9 is not after start 10"),
        ({1: "0", 2: "0"}, "end 0 is not after start 0"),
        ({3: "5-6-45"}, "not left-top-right-bottom"),
        ({3: "nan-6-45-46"}, "not left-top-right-bottom"),
        ({3: "5-6-5-46"}, "empty or inverted"),
        ({3: "5-46-45-6"}, "empty or inverted"),
        ({3: "64-6-90-46"}, "outside the picture of 64x48"),
        ({3: "-9-6-0-46"}, "outside the picture"),
        ({4: "0"}, "fps 0 is not between"),
        ({4: "nan"}, "fps nan is not between"),
        ({4: "inf"}, "fps inf is not between"),
        ({5: "wide"}, "width 'wide' is not a number"),
        ({6: "-48"}, "height -48 is not between"),
        ({7: "val"}, "partition 'val' is neither train nor test"),
        ({7: "train,more"}, "9 values for 8 columns"),
        ({7: '"train'}, "not CSV"),
    ],
)
def test_a_spoilt_row_is_said_and_spoils_no_other(tmp_path, change, says):
    values = GOOD.split(",")
    for place, value in change.items():
        values[place] = value
    rows = read_metadata(write(tmp_path / "a.csv", GOOD, ",".join(values), GOOD))
    assert [bool(row.fault) for row in rows] == [False, True, False]
    assert says in rows[1].fault
    assert rows[1].number == 3


def test_a_box_that_reaches_beyond_its_picture_is_kept(tmp_path):
    # as in vox-metadata.csv: 389-0-956-776 of 1280x720
    path = write(tmp_path / "a.csv", "a,66,172,389-0-956-776,25,1280,720,train")
    (row,) = read_metadata(path)
    assert not row.fault
    assert row.box == Box(389, 0, 956, 776, 1280, 720)


@pytest.mark.parametrize("rate", [None, 10.0])
def test_teds_range_stands_in_the_id(tmp_path, rate):
    line = "360bU-vBJOI#011030#011186,0,0,171-28-610-467,10.0,848,848,train"
    (row,) = read_metadata(write(tmp_path / "a.csv", line), range_fps=rate)
    assert not row.fault
    assert (row.video_id, row.start, row.end, row.fps) == ("360bU-vBJOI", 11030, 11186, rate)
    assert row.cut_id == "360bU-vBJOI#011030#011186"


def test_a_range_in_the_id_beside_a_real_one_is_part_of_the_id(tmp_path):
    (row,) = read_metadata(write(tmp_path / "a.csv", "a#1#9,3,7,5-6-45-46,25,64,48,train"))
    assert (row.video_id, row.start, row.end, row.fps) == ("a#1#9", 3, 7, 25)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty or not a CSV"),
        (b"\n\n", "empty or not a CSV"),
        (HEADER.encode(), "header and no row"),
        (HEADER.replace(",", ";").encode(), "has no column video_id, start"),
        (HEADER.replace(",partition", "").encode() + b"\n", "has no column partition"),
        (b"\x00\x00\x00\x18ftypmp42", "not a CSV"),
        (b"\xff\xfe\x89", "not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_list_is_one_error(tmp_path, content, says):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as error:
        read_metadata(path)
    assert "list.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FileNotFoundError, match="metadata file"):
            read_metadata(path)
