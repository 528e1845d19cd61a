"""What papers print about themselves, as data: `reported.csv`."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from animators.metrics import Protocol

REPORTED = Path(__file__).resolve().parent / "reported.csv"
HEADER = (
    *("paper", "table", "row", "line", "split"),
    *("metric", "detector", "printed", "value", "suspect"),
)

# Every paper has its own split of a set: (paper, set) -> clips to train on, clips to test on.
# DiME's preprint has DiME's.
# None where the paper does not print it.
SIZES: dict[tuple[str, str], tuple[int | None, int]] = {
    ("lia", "vox"): (17928, 495),
    ("lia", "taichi"): (1096, 115),
    ("lia", "ted"): (1124, 130),
    ("dime", "vox"): (18314, 507),
    ("dime", "taichi"): (682, 87),
    ("dime", "ted"): (1200, 120),
    ("dime", "dfdc"): (15039, 1807),
    ("dime", "nemo"): (1110, 124),
    ("dime", "aist"): (12187, 493),
    ("dime", "fashion"): (500, 100),
    ("dime", "bair"): (42880, 128),
    ("dime", "mgif"): (900, 100),
    ("dime_preprint", "vox"): (18314, 507),
    ("dime_preprint", "taichi"): (682, 87),
    ("dime_preprint", "dfdc"): (15039, 1807),
    ("dime_preprint", "nemo"): (1110, 124),
    ("dime_preprint", "aist"): (12187, 493),
    ("dime_preprint", "fashion"): (500, 100),
    ("dime_preprint", "bair"): (42880, 128),
    ("dime_preprint", "mgif"): (900, 100),
    ("swin_tps", "vox"): (19522, 525),
    ("swin_tps", "taichi"): (2867, 253),
    ("swin_tps", "fashion"): (500, 100),
    ("swin_tps", "mgif"): (900, 100),
    ("lia_x", "voxhq"): (None, 483),
    ("lia_x", "talkinghead1kh"): (None, 25),
    ("lia_x", "hdtf-aahq"): (None, 140),
}

# How tables of reconstruction were measured: (paper, table) -> protocol, but for the split. Only
# numbers of one protocol may stand side by side. The other papers do not print how they averaged.
WAYS = {("lia", table): Protocol.lia(256) for table in ("1", "4", "5", "6")}

# What our metrics are called in `reported.csv`: name there, network behind it. One that is not
# here has no network; so `akd_mesh` is never taken for a paper's AKD by another network. Nor is
# `akd_fan`, which is of the papers' network: the program behind their numbers of faces averages
# |dx| and |dy|, ours are lengths (`animators.metrics.keypoints`).
MEASURED = {
    "lpips": ("lpips", "AlexNet"),
    "fid": ("fid", "Inception-V3"),
    "video_fid": ("video_fid", "3D ResNeXt-101"),
    "mkr_fan": ("mkr", "face-alignment"),
    "csim_arcface": ("csim", "ArcFace"),
}
HIGHER_IS_BETTER = {
    **dict.fromkeys(("l1", "lpips", "fid", "fid_source", "video_fid"), False),
    **dict.fromkeys(("akd", "mkr", "aed", "id_distance"), False),
    **dict.fromkeys(("psnr", "ssim", "ms_ssim", "csim", "image_quality", "preference"), True),
}

# What each table is about, and what to know of it.
SUBJECTS = {
    ("lia", "1"): "Reconstruction.",
    ("lia", "2"): "Animation by another clip, within a set and onto faces of another.",
    ("lia", "3"): "User study: percent of answers to 'which clip is more realistic?'.",
    ("lia", "4"): "Reconstruction with and without the motion dictionary.",
    ("lia", "5"): "Reconstruction by the number of motion directions.",
    ("lia", "6"): "Reconstruction, with MRAA's background.",
    ("dime", "1"): "Reconstruction; `fid_source` and `csim` are of animation, 200 pairs.",
    ("dime", "2"): "Reconstruction by networks that were trained on VoxCeleb.",
    ("dime", "3"): "Ablations; `fid_source` and `csim` are of animation.",
    ("dime", "4"): "By the number of reference pictures.",
    ("lia_x", "1"): "Reconstruction.",
    ("lia_x", "2"): "Animation: 70 driving clips of HDTF, two pictures of AAHQ each.",
    ("lia_x", "3"): "Reconstruction by the size of the network.",
    ("lia_x", "4"): "Reconstruction by the size of the network.",
    ("swin_tps", "1"): "Reconstruction.",
    ("swin_tps", "2"): "Reconstruction, ablations.",
}
SUBJECTS |= {("dime_preprint", number): SUBJECTS["dime", number] for number in "1234"}


def split_label(paper: str, split: str) -> str:
    """Name a paper's split of a set: `lia-vox-17928-495`, or `lia-germanpublictv` without sizes."""
    sizes = SIZES.get((paper, split), ())
    parts = [paper, split, *(str(size) for size in sizes if size is not None)]
    return "-".join(parts).replace("_", "-")


def part_of(row: "Reported") -> str:
    """Name the part of a table where one set is in it twice: LIA-X has two resolutions."""
    if (row.paper, row.table) != ("lia_x", "1"):
        return ""
    return "256 pixels" if row.line < 205 else "512 pixels"  # the line between the two


def protocol_of(row: "Reported") -> Protocol | None:
    """Give the protocol of a printed number, or None where it is of none of ours."""
    way = WAYS.get((row.paper, row.table))
    return None if way is None else replace(way, split=split_label(row.paper, row.split))


@dataclass(frozen=True)
class Reported:
    """One printed cell.

    Attributes:
        paper: whose paper.
        table: number of the table there.
        row: method, as we call it.
        line: line of the paper's text.
        split: data set; `split_label` names the paper's own split of it.
        metric: as we call it.
        detector: network behind the metric, `not stated` where the paper names none; empty
            where there is none.
        printed: the cell, letter for letter.
        value: the number, or None where it cannot be read.
        suspect: why it is doubted; empty where it is not.
    """

    paper: str
    table: str
    row: str
    line: int
    split: str
    metric: str
    detector: str
    printed: str
    value: float | None
    suspect: str


def read_reported(path: Path = REPORTED) -> list[Reported]:
    """Read the file of printed values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another header, or a cell that is no number.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of reported values {path}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != HEADER:
            raise ValueError(f"{path} must begin with the line {','.join(HEADER)}")
        return [_row(path, number, row) for number, row in enumerate(reader, start=2)]


def _row(path: Path, number: int, row: dict[str, str]) -> Reported:
    try:
        line, value = int(row["line"]), float(row["value"]) if row["value"] else None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}, line {number}: {error}") from error
    texts = {name: row[name] for name in HEADER if name not in ("line", "value")}
    return Reported(line=line, value=value, **texts)


def beside(rows: list[Reported], *, model: str, metric: str, protocol: Protocol) -> Reported | None:
    """Find what was printed for a measurement: same method, metric, split and way of measuring.

    The same metric by another network is another metric (`MEASURED`).

    Returns:
        The first such cell (papers give the main table first), or None.
    """
    name, detector = MEASURED.get(metric, (metric, ""))
    for row in rows:
        if (row.row, row.metric, row.detector) != (model, name, detector) or row.value is None:
            continue
        paper = protocol_of(row)
        if paper is not None and protocol.is_that_of(paper):
            return row
    return None
