"""The papers' own page, and that it is what the command writes."""

import shutil
from dataclasses import replace

import pytest

from animators.metrics import Protocol
from benchmarks.reported import read_reported
from benchmarks.reported_page import PAGE, page, printed
from benchmarks.table import PAGE as TABLES
from benchmarks.table import main


@pytest.fixture(scope="module")
def rows():
    return read_reported()


def test_printed_tables(rows):
    text = printed(rows)
    vox = Protocol.lia(256, "lia-vox-17928-495")
    assert f"### Printed in lia, table 1: vox, `{vox.name}`\n" in text
    assert "| fomm | ―0323-? |" in text
    assert "- `?` fomm (all): garbled; perhaps 0.323" in text
    # video FID is not of that protocol
    assert "table 2: vox, `lia-vox-17928-495`\n" in text
    assert "table 2: germanpublictv, `lia-germanpublictv`\n" in text
    assert "| | l1 ↓ | akd (face-alignment) ↓ | aed (OpenFace) ↓ | lpips (AlexNet) ↓ |" in text
    assert "| lia_x base | 0.05B | 0.043 | 0.171 | 0.72 | 23.62 |" in text


def test_two_resolutions_are_two_tables(rows):
    text = printed([row for row in rows if row.paper == "lia_x"])
    small, large = (
        text.partition(f"table 1: voxhq, {side} pixels")[2].partition("###")[0]
        for side in (256, 512)
    )
    assert "| lia_x | 0.036 | 0.095 | 0.73 | 24.82 | 10.74 |" in small
    assert "| lia_x | 0.040 | 0.160? | 0.75 | 24.39 | 12.50 |" in large


def test_every_number_is_on_the_page(rows):
    cells = [
        cell.strip()
        for line in printed(rows).splitlines()
        if line.startswith("| ") and not line.startswith("| |")
        for cell in line.split("|")[2:-1]
    ]
    shown = sorted(cell for cell in cells if cell)
    assert shown == sorted(row.printed + "?" * bool(row.suspect) for row in rows)


def test_a_reason_names_its_cells(rows):
    cells = [row for row in rows if (row.paper, row.table, row.split) == ("dime", "1", "bair")]
    copied = "FID of reconstruction and of animation are equal in this row: one of them is copied"
    text = printed(cells)
    assert f"- `?` fomm (fid, fid_source), mraa (fid, fid_source): {copied}" in text


def test_two_values_of_one_cell_are_refused(rows):
    with pytest.raises(ValueError, match="two values of l1"):
        printed([rows[0], replace(rows[0], printed="0.5", value=0.5)])


def test_both_pages_are_what_the_command_writes(rows, tmp_path, capsys):
    copy = shutil.copy(TABLES, tmp_path / TABLES.name)
    assert main(["--page", str(copy)]) == 0
    assert copy.read_text(encoding="utf-8") == TABLES.read_text(encoding="utf-8")
    written = (tmp_path / PAGE.name).read_text(encoding="utf-8")
    assert written == PAGE.read_text(encoding="utf-8") == page(rows)
    assert "Printed in" not in capsys.readouterr().out
