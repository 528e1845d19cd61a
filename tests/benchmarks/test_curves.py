import pytest

from benchmarks.curves import main
from datamodules import media

ROWS = """pairs_seen,step,train/total,val/copy_source_l1,val/copy_source_lpips,val/l1,val/lpips
8.0,1,0.5,,,,
16.0,2,,0.03,0.1,0.2,0.4
32.0,4,,0.03,0.1,0.1,0.3
"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "lia-toy"
    folder.mkdir()
    (folder / "metrics.csv").write_text(ROWS)
    return folder


def test_draws_a_panel_for_each_metric(run, tmp_path):
    sizes = []
    for metrics in (["l1"], ["l1", "lpips"]):
        output = tmp_path / "pictures" / "curves.png"
        assert main([str(run), "--metrics", *metrics, "--output", str(output)]) == 0
        picture = media.read_image(output)
        assert picture.std() > 0
        sizes.append(picture.shape[1])
        assert list(output.parent.iterdir()) == [output]
    assert sizes[1] == 2 * sizes[0]


def test_runs_on_the_same_clips_share_one_copy_source(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    output = tmp_path / "curves.svg"
    for theirs, lines in (("0.03000001", 1), ("0.04", 2)):
        (other / "metrics.csv").write_text(ROWS.replace("0.03", theirs))
        assert main([str(run), str(other), "--metrics", "l1", "--output", str(output)]) == 0
        # matplotlib writes each text as a comment before its outlines
        assert output.read_text().count("<!-- copy-source -->") == lines


def test_bad_inputs(run, tmp_path, fails):
    output = tmp_path / "out" / "curves.png"
    assert "metrics.csv" in fails(main, tmp_path, "--output", output)
    assert "must end in .png" in fails(main, run, "--output", "curves.doc")
    error = fails(main, run, "--metrics", "fid", "--output", output)
    assert "no run has validated 'fid'; there are: l1, lpips" in error
    for content in ("", "a,b\n1,2\n"):
        (run / "metrics.csv").write_text(content)
        assert "metrics.csv" in fails(main, run, "--output", output)
    (run / "metrics.csv").write_text("\n".join(ROWS.splitlines()[:2]))
    assert "no validation yet" in fails(main, run, "--output", output)
    assert not output.parent.exists()
