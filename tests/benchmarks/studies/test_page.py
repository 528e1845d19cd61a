import json
import shutil

import pytest

from benchmarks import records, study
from benchmarks.studies import page
from benchmarks.table import BEGIN, END


@pytest.fixture
def folder(tmp_path):
    """A page with marks, and one of the project's own records of each kind that has some."""
    for kind in page.KINDS:
        own = sorted(records.RESULTS.glob(f"{records.slug(kind)}_*.json"))[:1]
        assert own
        for path in own:
            shutil.copy(path, tmp_path)
    (tmp_path / "page.md").write_text(f"before\n{BEGIN}\nSTALE\n{END}\nafter\n")
    return tmp_path


def run(folder):
    page_file = folder / "page.md"
    return study.main(["page", "--results", str(folder), "--page", str(page_file)])


def change(path, changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_every_record_has_its_table_and_the_rest_of_the_page_stays(folder, capsys):
    assert run(folder) == 0
    text = (folder / "page.md").read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n###")
    assert text.endswith(f"{END}\nafter\n")
    assert "STALE" not in text
    titles = [line for line in text.splitlines() if line.startswith("### ")]
    assert len(titles) == len(list(folder.glob("*.json")))
    assert f"{folder / 'page.md'}" in capsys.readouterr().out
    assert run(folder) == 0
    assert (folder / "page.md").read_text() == text


def test_of_one_study_the_newest_record_counts(folder):
    """Also of one day, on which the later file has a number."""
    (path,) = folder.glob("solver_*.json")
    newer = path.with_name(f"{path.stem}-2.json")
    assert sorted([path, newer])[0] == newer  # the names' order would be the wrong one
    shutil.copy(path, newer)
    change(path, {"date": "2000-01-01T00:00:00+00:00", "git": "0ld"})
    assert run(folder) == 0
    text = (folder / "page.md").read_text()
    assert text.count("### Motion evolution") == 1
    assert "0ld" not in text
    change(path, {"settings": json.loads(path.read_text())["settings"] | {"repeats": 99}})
    assert run(folder) == 0
    assert (folder / "page.md").read_text().count("### Motion evolution") == 2


def test_the_committed_page_is_that_of_the_committed_records(tmp_path):
    copy = tmp_path / "page.md"
    shutil.copy(page.PAGE, copy)
    assert study.main(["page", "--page", str(copy)]) == 0
    assert copy.read_text() == page.PAGE.read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "speed"}, "is of `study speed`"),
        ({"result": {}}, "damaged"),
        ({"format": 99}, "format 99"),
        ({"date": None}, "'date' is bad"),
    ],
)
def test_a_damaged_record_is_one_line_and_the_page_stays(folder, capsys, changes, said):
    before = (folder / "page.md").read_text()
    (path,) = folder.glob("solver_*.json")
    change(path, changes)
    assert run(folder) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "solver_" in error
    assert error.count("\n") == 1
    assert (folder / "page.md").read_text() == before


def test_no_record_and_no_marks_are_said(folder, capsys):
    (folder / "page.md").write_text("no marks\n")
    assert run(folder) == 2
    assert "no lines" in capsys.readouterr().err
    for path in folder.glob("*.json"):
        path.unlink()
    assert run(folder) == 2
    assert "no record of a study" in capsys.readouterr().err
