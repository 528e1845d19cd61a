"""One line of words measures what is missing and keeps the rest."""

import json

import pytest
import torch

from animators.weights import save_animator
from benchmarks import compare
from benchmarks.compare import main
from tests.animators.tiny import tiny_animator

TOY = [
    *("--data.init_args.toy.test_clips=3", "--data.init_args.toy.test_identities=3"),
    *("--data.init_args.toy.train_clips=2", "--data.init_args.toy.identities=2"),
    "--data.init_args.toy.frames=8",
]

FILM = "data:" + "video/mp4;base64,"  # in two words: the house looks for films in texts


def save(model, seed, path):
    """Write a tiny animator whose weights are the seed's own."""
    animator = tiny_animator(model, image_size=64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in animator.network.parameters():
            weight += 0.01 * torch.randn(weight.shape, generator=generator)
    save_animator(animator, path)


@pytest.fixture
def runs(tmp_path):
    for seed, name in enumerate(("lia-toy", "lia-toy-seed1", "dime-toy")):
        save(name.split("-")[0], seed, tmp_path / "runs" / name / "checkpoints/best.ckpt")
    return tmp_path


def words(folder, *more, models=("lia", "dime")):
    return [
        *("--models", *models, "--data", "toy", "--runs", str(folder / "runs"), "--frames", "4"),
        *("--output", str(folder / "results"), "--folder", str(folder / "tables")),
        *("--no-lpips", "--device", "cpu", "--clips", "0", *more, *TOY),
    ]


def records(folder):
    paths = sorted((folder / "results").glob("*.json"))
    return {path.name: json.loads(path.read_text()) for path in paths}


def test_what_is_there_is_kept_and_what_is_missing_is_measured(runs, capsys):
    assert main(words(runs, "--seeds", "0", "1", "--no-speed")) == 0
    first = records(runs)
    assert len(first) == 3
    assert {(r["model"], r["seed_trained"]) for r in first.values()} == {
        *(("lia", 0), ("lia", 1), ("dime", 0)),
    }
    assert all(len(r["per_clip"]) == 3 for r in first.values())
    table = (runs / "tables/tables.md").read_text()
    assert "toy, recon-lia: 3 clips, 9 frames" in table
    assert "copy-source" in table
    for name in ("tables.csv", "tables.tex"):
        assert "dime" in (runs / "tables" / name).read_text()
    victim = next(path for path in (runs / "results").glob("dime*.json"))
    victim.unlink()
    capsys.readouterr()
    assert main(words(runs, "--seeds", "0", "1", "--no-speed")) == 0
    out = capsys.readouterr().out
    assert out.count(": kept") == 2
    again = records(runs)
    assert again.keys() == first.keys()
    for name, record in again.items():
        assert record["metrics"] == first[name]["metrics"]
    # another protocol is another measurement
    assert main(words(runs, "--protocols", "recon-fomm", "--no-speed")) == 0
    assert len(records(runs)) == 5


def test_other_weights_are_measured_again(runs, capsys):
    assert main(words(runs, "--no-speed", models=["lia"])) == 0
    save("lia", 9, runs / "runs/lia-toy/checkpoints/best.ckpt")
    capsys.readouterr()
    assert main(words(runs, "--no-speed", models=["lia"])) == 0
    assert "kept" not in capsys.readouterr().out


def test_other_clips_of_the_same_names_are_measured_again(runs, capsys):
    from PIL import Image

    def film(shade):
        for split in ("train", "test"):
            (runs / "clips" / split).mkdir(parents=True, exist_ok=True)
            frames = [Image.new("RGB", (64, 64), (shade, 40 * i, 0)) for i in range(4)]
            first, *rest = frames
            first.save(runs / f"clips/{split}/a.gif", save_all=True, append_images=rest)

    own = runs / "folder.yaml"
    own.write_text("data: {class_path: datamodules.FramePairs, init_args: {image_size: 64}}")
    (runs / "runs/lia-toy").rename(runs / "runs/lia-folder")
    asked = words(runs, "--root", str(runs / "clips"), "--no-speed", models=["lia"])[: -len(TOY)]
    asked[asked.index("toy")] = str(own)
    kept = []
    for shade in (10, 10, 200):
        film(shade)
        assert main(asked) == 0
        kept.append(": kept" in capsys.readouterr().out)
    assert kept == [False, True, False]
    text = "".join(path.read_text() for path in (runs / "results").glob("*.json"))
    assert str(runs) not in text


def test_other_metrics_are_another_record_and_neither_is_lost(runs, capsys):
    for more in ((), ("--metrics", "quality"), ()):
        assert main(words(runs, "--no-speed", *more, models=["lia", "lia"])) == 0
    assert ": kept" in capsys.readouterr().out
    found = [set(record["metrics"]) for record in records(runs).values()]
    assert len(found) == 2
    assert sum("quality_brisque" in one for one in found) == 1


def test_tables_say_the_same_of_what_is_fresh_and_what_is_kept(runs):
    """Two frames have no flicker."""
    asked = words(runs, "--no-speed", models=["lia"])
    asked[asked.index("4")] = "2"
    texts = []
    for _ in range(2):
        assert main(asked) == 0
        texts.append((runs / "tables/tables.md").read_text())
    assert texts[0] == texts[1]
    assert "nan" not in texts[0]


def test_few_shots_are_plain_and_best_of_views_for_animators_of_one_picture(runs):
    few = ("--protocols", "recon-few", "--references", "2", "--no-speed")
    assert main(words(runs, *few)) == 0
    rows = {r["model"]: r for r in records(runs).values()}
    assert rows.keys() == {"lia", "lia (best of 3)", "dime"}
    assert len({r["protocol"]["name"] for r in rows.values()}) == 1
    assert len({r["clips"]["sha256"] for r in rows.values()}) == 1
    assert rows["lia (best of 3)"]["metrics"]["l1"] <= rows["lia"]["metrics"]["l1"]


def test_pictures_are_moved_by_others_plain_and_edited(runs):
    cross = ("--protocols", "cross-liax", "--metrics", "pixels", "--edit", "d1=0.5", "--no-speed")
    assert main(words(runs, *cross)) == 0
    rows = {r["model"]: r for r in records(runs).values()}
    assert rows.keys() == {"lia", "lia (edited d1=0.5)", "dime"}
    assert all(r["protocol"]["label"] == "cross-liax" for r in rows.values())
    assert all(r["metrics"].keys() == {"flicker"} for r in rows.values())
    assert rows["lia"]["copy_source"] == rows["dime"]["copy_source"]


def test_costs_stand_beside_numbers(runs):
    assert main(words(runs, models=["dime"])) == 0
    (speed,) = (r for r in records(runs).values() if r["kind"] == "speed")
    assert speed["result"]["flops_per_frame"] > 0
    before = records(runs)
    assert main(words(runs, models=["dime"])) == 0
    assert records(runs) == before
    assert "GFLOP" in (runs / "tables/tables.md").read_text()


def test_the_page_has_numbers_and_films(runs):
    asked = words(runs, "--no-speed", "--seeds", "0", "1")
    asked[asked.index("--clips") + 1] = "1"
    assert main(asked) == 0
    page = (runs / "tables/page.html").read_text()
    assert page.count(FILM) == 1
    assert "dime" in page
    assert "recon-lia" in page
    assert "python -m benchmarks run --checkpoint" in page


def test_the_page_shows_the_seed_that_there_is(runs):
    asked = words(runs, "--no-speed", "--seeds", "1", models=["lia"])
    asked[asked.index("--clips") + 1] = "1"
    assert main(asked) == 0
    assert (runs / "tables/page.html").read_text().count(FILM) == 1


def test_films_show_the_pictures_that_rows_are_measured_on(runs, monkeypatch):
    from benchmarks.page import command, films

    seen = []
    for module in (films, command):
        monkeypatch.setattr(module, "main", lambda argv: seen.append(argv) or 0)
    more = ("--protocols", "cross-lia", "--sources", "test/x")
    described = compare.parser().parse_args(words(runs, *more, "--clips", "1")[: -len(TOY)])
    described.overrides = []
    record = {"protocol": {"label": "cross-lia"}, "clips": {"count": 3}}
    compare.show(described, [(runs / "r.json", record)], runs)
    assert "--data.init_args.sources=test/x" in seen[0]


@pytest.mark.parametrize("part", ["speed", "films"])
def test_ctrl_c_in_a_part_is_no_mistake(runs, capsys, monkeypatch, part):
    from benchmarks import speed
    from benchmarks.page import films

    monkeypatch.setattr({"speed": speed, "films": films}[part], "main", lambda argv: 130)
    asked = words(runs, *(["--no-speed"] if part == "films" else []), models=["lia"])
    asked[asked.index("--clips") + 1] = "1"
    assert main(asked) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")


def test_zero_shot_rows_say_what_they_were_trained_on(runs):
    (runs / "runs/lia-toy").rename(runs / "runs/lia-faces")
    assert main(words(runs, "--trained-on", "faces", "--no-speed", models=["lia"])) == 0
    (record,) = records(runs).values()
    assert (record["data"], record["trained_on"]) == ("toy", "faces")
    assert "lia (trained on faces)" in (runs / "tables/tables.md").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--models", "lia", "fomm"], "make train MODEL=fomm DATA=toy"),
        (["--pairs", "3", "--protocols", "cross-dime", "--mode", "avd"], "avd"),
        (["--protocols", "recon-few", "--references", "0"], "recon-few wants references"),
        (["--protocols", "recon-fomm", "--sources", "x"], "cross-\\* protocols"),
        (["--mode", "absolute"], "--mode is for cross-\\* protocols"),
        (["--references", "2"], "--references is for recon-few"),
        (["--protocols", "recon-lia", "cross-dime", "--mode", "absolute", "--edit", "d1=1"], "edi"),
        (["--models", "dime", "--protocols", "cross-dime", "--edit", "d1=1"], "motion directions"),
        (["--protocols", "cross-dime", "--sources", "test/x"], "below data.root"),
        (["--protocols", "cross-liax", "--edit", "d1"], "DIRECTION=AMOUNT"),
        (["--protocols", "cross-liax", "--edit", "yaw1=1"], "no motion direction 'yaw1'"),
        (["--data", "toys"], "there is no data called 'toys'"),
    ],
)
def test_mistakes_get_one_line_and_no_record(runs, capsys, more, said):
    asked = words(runs, "--no-speed")
    if "--models" in more:
        asked = [*more, *asked[3:]]
        more = []
    assert main([*asked[:-5], *more, *asked[-5:]]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert said.replace("\\", "") in err
    assert not records(runs)
