"""`reported.csv` against the papers' texts, and what stands beside a measurement."""

import re
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from animators.metrics import Protocol
from benchmarks.reported import (
    HIGHER_IS_BETTER,
    MEASURED,
    REPORTED,
    SIZES,
    SUBJECTS,
    beside,
    read_reported,
    split_label,
)

NUMBER = re.compile(r"\d+\.\d+")
# numbers in each table: (paper, table) -> how many
COUNTS = {
    **{("lia", str(table)): n for table, n in enumerate((54, 6, 12, 12, 30, 28), 1)},
    **{("dime", str(table)): n for table, n in enumerate((425, 39, 36, 54), 1)},
    **{("dime_preprint", str(table)): n for table, n in enumerate((348, 46, 36, 54), 1)},
    **{("lia_x", str(table)): n for table, n in enumerate((90, 14, 15, 15), 1)},
    **{("swin_tps", str(table)): n for table, n in enumerate((48, 20), 1)},
}
# Columns as the tables' heads have them, of one set.
FEW = ["l1", "lpips", "fid", "ms_ssim", "ssim", "psnr", "akd", "fid_source", "csim"]
BODIES = ["l1", "akd", "mkr", "aed", "lpips"]
ONE = ["l1", "lpips", "ssim", "psnr", "fid"]
COLUMNS = {
    **{("lia", table): BODIES for table in "16"},
    **{("lia", table): ["l1", "lpips"] for table in "45"},
    **{("dime", table): FEW for table in "1234"},
    **{("dime_preprint", table): FEW for table in "1234"},
    ("lia_x", "1"): ONE,
    ("lia_x", "2"): ["id_distance", "image_quality"],
    **{("lia_x", table): ["parameters", *ONE[:4]] for table in "34"},
    **{("swin_tps", table): BODIES[:4] for table in "12"},
}
LETTERS = {"L": "lia", "D": "dime", "X": "lia_x", "S": "swin_tps", "P": "dime_preprint"}
# Cells that the notes beside the papers doubt, by hand: paper and line, set, metrics, row.
DOUBTED = """
L344 vox video_fid fomm | L669 ted aed,lpips mraa | L366 ted lpips lia without dictionary
L351 taichi preference lia against fomm | L351 taichi preference fomm against lia
L352 taichi preference lia against mraa | L352 taichi preference mraa against lia
L339 ted l1 lia | L367 ted l1,lpips lia | L375 ted l1 lia with 20 directions | L339 vox lpips lia
L367 vox lpips lia | L375 vox lpips lia with 20 directions | L339 taichi lpips lia
L367 taichi lpips lia | L375 taichi lpips lia with 20 directions | D178 vox lpips,akd monkey-net
D180 vox akd lia | D203 taichi akd lia | D182 vox l1 tpsmm | D205 taichi l1,akd tpsmm
D204 taichi l1,akd samt | D206 taichi l1,akd iapm | D207 taichi akd dime | D183 vox l1,akd iapm
D184 vox l1,lpips,fid,ms_ssim,ssim,psnr,akd,fid_source,csim dime
D190 nemo l1,lpips,fid,ms_ssim,ssim,psnr,akd,fid_source,csim dime | D191 ted l1 fomm
D187 dfdc lpips dime | D275 dfdc lpips dime | P179 taichi akd dime | P167 dfdc lpips dime
P253 dfdc lpips dime | P264 dfdc lpips dime with 3 references | D211 bair fid,fid_source fomm
D211 bair fid_source fomm (best) | D212 bair fid,fid_source mraa | P180 bair fid,fid_source fomm
P180 bair fid_source fomm (best) | P181 bair fid,fid_source mraa | D189 nemo fid mraa
D189 nemo fid mraa (best) | P169 nemo fid mraa | P169 nemo fid mraa (best) | D176 vox lpips mraa
D176 vox lpips mraa (best) | P162 vox lpips mraa | P162 vox lpips mraa (best)
D208 fashion psnr,ms_ssim fomm | D208 fashion psnr,ms_ssim fomm (best)
D213 bair ms_ssim,ssim dime | D216 mgif ms_ssim,ssim dime | P182 bair ms_ssim,ssim dime
P185 mgif ms_ssim,ssim dime | D268 mgif ms_ssim,ssim mraa | D269 mgif ms_ssim,ssim dime
P244 mgif ms_ssim,ssim mraa | P245 mgif ms_ssim,ssim dime | D202 taichi akd monkey-net
D201 taichi akd x2face | D214 mgif l1 fomm | D215 mgif l1 mraa | S219 mgif l1 fomm
S220 mgif l1 mraa | X200 voxhq lpips fomm | X203 voxhq lpips mcnet | X209 voxhq lpips lia_x
X226 voxhq lpips lia_x middle | X227 voxhq lpips,parameters lia_x large
X233 talkinghead1kh lpips lia_x middle | X234 talkinghead1kh lpips lia_x large
"""


@pytest.fixture(scope="module")
def rows():
    return read_reported()


@pytest.fixture(scope="module")
def texts(shared_dir):
    """Paper -> lines of its text."""
    return {
        paper: (shared_dir / "papers" / f"{paper}.txt").read_text(encoding="utf-8").split("\n")
        for paper in LETTERS.values()
    }


def test_every_number_is_there_once(rows):
    assert Counter((row.paper, row.table) for row in rows) == COUNTS
    assert len(rows) == 1382
    assert sum(row.paper != "dime_preprint" for row in rows) == 898
    keys = {(r.paper, r.table, r.row, r.line, r.split, r.metric) for r in rows}
    assert len(keys) == len(rows)
    assert set(SUBJECTS) == set(COUNTS)


def test_values_are_what_is_printed(rows):
    for row in rows:
        if row.metric == "parameters":
            assert float(row.printed.removesuffix("B")) * 1e9 == pytest.approx(row.value)
        elif row.value is not None:
            assert float(row.printed.strip("()")) == row.value, row
    unread = {row.printed for row in rows if row.value is None}
    assert unread == {"―0323-", "-64.5", "35.5^^"}
    assert all(row.suspect for row in rows if row.value is None)
    known = {*HIGHER_IS_BETTER, "parameters"}
    assert {row.metric for row in rows} == known


def test_every_number_of_a_line_is_there_and_no_other(rows, texts):
    """Each number as often as it stands on its line, and no line with cells is left out."""
    lines = defaultdict(Counter)
    for row in rows:
        assert row.printed in texts[row.paper][row.line - 1], row
        lines[row.paper, row.line].update(NUMBER.findall(row.printed))
    for (paper, line), found in lines.items():
        assert found == Counter(NUMBER.findall(texts[paper][line - 1])), (paper, line)
    cell = re.compile(r"\t.*\d\.\d|( \d\.\d+){3}")  # parted by tabs, or by spaces
    for paper, text in texts.items():
        cells = {n for n, line in enumerate(text, 1) if cell.search(line)}
        assert cells == {line for of, line in lines if of == paper}, paper


def test_columns_are_in_the_order_of_the_heads(rows, texts):
    """The numbers of a row stand on its line in the order of its metrics."""
    groups = defaultdict(list)
    for row in rows:
        groups[row.paper, row.table, row.row, row.line, row.split].append(row)
    for (paper, table, name, line, _), cells in groups.items():
        columns = COLUMNS.get((paper, table))
        if columns is not None:
            metrics = [cell.metric for cell in cells]
            assert metrics == [column for column in columns if column in metrics], cells
        pattern = ".*?".join(rf"(?<![\d.]){re.escape(cell.printed)}(?!\d)" for cell in cells)
        assert re.search(pattern, texts[paper][line - 1]), (paper, line, name)


def test_dime_and_its_preprint_share_all_cells_but_one(rows):
    """An independent source: the same tables were typeset, and read off, twice."""
    papers = [
        {
            (r.table, r.row, r.split, r.metric): r.printed
            for r in rows
            if r.paper == paper and r.table in "124"
        }
        for paper in ("dime", "dime_preprint")
    ]
    shared = papers[0].keys() & papers[1].keys()
    assert len(shared) == 348 + 39 + 54
    # 0.061 is misprinted as 0.0061 in one of the two
    assert {key for key in shared if papers[0][key] != papers[1][key]} == {
        ("1", "dime", "taichi", "akd"),
        ("4", "dime with 3 references", "dfdc", "lpips"),
    }


def test_doubted_cells_are_marked(rows):
    marked = {(r.paper, r.line, r.row, r.split, r.metric) for r in rows if r.suspect}
    for entry in DOUBTED.strip().replace("\n", "|").split("|"):
        place, split, metrics, row = entry.split(maxsplit=3)
        for metric in metrics.split(","):
            key = (LETTERS[place[0]], int(place[1:]), row.strip(), split, metric)
            assert key in marked, entry


def test_every_line_of_the_notes_is_marked(rows, shared_dir):
    """Every line that the notes beside the papers name has a marked cell, or they doubt none."""
    notes = (shared_dir / "papers" / "README.md").read_text(encoding="utf-8")
    table = notes.partition("| line |")[2].partition("## Claims")[0].splitlines()
    known = {(row.paper, row.line) for row in rows}
    marked = {(row.paper, row.line) for row in rows if row.suspect}
    named = set()
    for entry in table[2:]:
        if re.search("not errors|both are reported|in the heads", entry) or not entry:
            continue
        paper = ""
        for letter, first, last in re.findall(r"([LDXSP]):|(\d+)(?:-(\d+))?", entry.split("|")[1]):
            if letter:
                paper = LETTERS[letter]
            else:
                named |= {(paper, n) for n in range(int(first), int(last or first) + 1)}
    assert len(named & known) > 50
    assert named & known <= marked


def test_every_paper_has_its_own_split():
    labels = {split_label(paper, split) for paper, split in SIZES}
    assert len(labels) == len(SIZES)
    assert {"lia-vox-17928-495", "dime-vox-18314-507", "swin-tps-vox-19522-525"} <= labels
    for label in labels:
        assert Protocol.from_name(Protocol(64, split=label).name).split == label


def test_sizes_of_splits_are_those_of_the_texts(texts):
    """Every size stands in its paper, beside the other."""
    for (paper, _), sizes in SIZES.items():
        text = "\n".join(texts[paper])
        close = r"\b\D{1,60}\b".join(rf"(?:{n}|{n:,})" for n in sizes if n is not None)
        assert re.search(rf"\b{close}\b", text), (paper, sizes)


def test_beside_wants_the_papers_protocol(rows):
    vox = Protocol.lia(256, "lia-vox-17928-495")
    ted = replace(vox, split="lia-ted-1124-130", clips="130-0123abcd")
    found = beside(rows, model="lia", metric="l1", protocol=ted)
    assert found is not None
    assert (found.table, found.split, found.value) == ("1", "ted", 0.027)
    for split in ("dime-ted-1200-120", "own", "lia-taichi-1096-115"):
        other = replace(ted, split=split, clips="120-0123abcd")
        assert beside(rows, model="lia", metric="l1", protocol=other) is None


def test_beside_wants_the_same_network(rows):
    """Ours are not LIA's: other networks, and for AKD on faces another formula too."""
    vox = Protocol.lia(256, "lia-vox-17928-495")
    found = beside(rows, model="lia", metric="lpips", protocol=vox)
    assert found is not None
    assert (found.detector, found.value) == ("AlexNet", 0.123)
    others = ("akd_fan", "akd_mesh", "akd_dlib", "akd", "aed", "aed_dlib", "mkr_mesh")
    for metric in (*others, "lpips_vgg16"):
        assert beside(rows, model="lia", metric=metric, protocol=vox) is None, metric
    bodies = replace(vox, split="lia-taichi-1096-115")
    for metric in ("akd_fan", "akd_blazepose", "akd"):  # OpenPose there
        assert beside(rows, model="lia", metric=metric, protocol=bodies) is None, metric
    printed = {(row.metric, row.detector) for row in rows}
    assert set(MEASURED.values()) - printed == {("mkr", "face-alignment")}


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "must begin with"), ("HEADER\nlia,1,x,12a,vox,l1,,1,1,\n", "line 2")],
)
def test_bad_reported(content, message, tmp_path):
    path = tmp_path / "reported.csv"
    header = REPORTED.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(content.replace("HEADER", header))
    with pytest.raises(ValueError, match=message):
        read_reported(path)


def test_no_reported_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'absent.csv'}")):
        read_reported(tmp_path / "absent.csv")
