import json

import pytest
import torch

from animators import load_animator
from animators.animator import Mode
from animators.metrics import Averaging, Protocol, ReconstructionSuite, Scored, copy_source
from animators.weights import save_animator
from benchmarks.data import TestClips, build_data, data_file, read_options
from benchmarks.report.markdown import markdown
from benchmarks.report.sheet import sheet
from benchmarks.report.tables import build_table
from benchmarks.run import main
from benchmarks.views import Suites, Views, in_time, rebuild
from tests.animators.tiny import tiny_animator

TOY = [
    *("--data.init_args.toy.test_clips=4", "--data.init_args.toy.test_identities=4"),
    *("--data.init_args.toy.train_clips=2", "--data.init_args.toy.identities=2"),
    "--data.init_args.toy.frames=12",
]
SIZE, FRAMES, N = 32, 5, 3
CPU = torch.device("cpu")


def protocol(**changes):
    return Protocol(SIZE, **({"frames": FRAMES, "references": N} | changes))


@pytest.fixture(scope="module")
def clips():
    """Four toy clips: five scored frames and three references of twelve frames."""
    settings = read_options(data_file("toy"), TOY)
    settings |= {"image_size": SIZE, "frames": FRAMES, "references": N}
    return list(TestClips(build_data(settings), CPU, "test"))


@pytest.fixture(scope="module")
def mraa():
    """A one-shot animator that looks at source and driving frame together in reconstruction."""
    return tiny_animator("mraa", image_size=SIZE).eval()


@pytest.fixture(scope="module")
def dime():
    return tiny_animator("dime", image_size=SIZE).eval()


@pytest.fixture(scope="module")
def files(mraa, dime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, animator in (("mraa", mraa), ("dime", dime)):
        save_animator(animator, folder / f"{name}.ckpt")
    return folder


def by_hand(animator, clip, source, frames):
    """One frame at a time through the verbs, as reconstruction has it."""
    drawn = []
    with torch.no_grad():
        state = animator.encode_source(source)
        for frame in frames[0].split(1):
            motion = animator.encode_motion(frame, state)
            drawn.append(
                animator.render(state, animator.transfer(state, motion, None, Mode.ABSOLUTE))
            )
    return torch.stack(drawn, dim=1).clamp(0, 1)


def far(prediction, video):
    return (prediction - video)[0, 1:].abs().double().mean((1, 2, 3))


def test_the_best_view_is_the_minimum_of_a_loop_over_all_views(clips, mraa):
    score = Suites(protocol(), lpips=False).evaluate(mraa.reconstruct, clips, Views(N, best=True))
    suite = ReconstructionSuite(protocol(), lpips=False)
    chosen = []
    for clip, found in zip(clips, score.clips, strict=True):
        views = [clip["video"][:, 0], *clip["references"].unbind(1)]
        made = [by_hand(mraa, clip, view, clip["video"]) for view in views]
        errors = [far(one, clip["video"]).mean().item() for one in made]
        chosen.append(min(range(N + 1), key=errors.__getitem__))
        assert len({round(error, 6) for error in errors}) == N + 1
        assert found.view == chosen[-1]
        torch.testing.assert_close(
            found.l1, far(made[found.view], clip["video"]), rtol=1e-4, atol=0
        )
        suite.update_clip(made[chosen[-1]], clip["video"])
    assert len(set(chosen)) > 1  # else a fixed choice would pass
    assert score.metrics == pytest.approx(suite.summary(), rel=1e-4)


def test_of_copies_of_the_source_the_nearest_is_kept(clips):
    """Closed form: with copy-source the best view is the one with the least mean distance."""
    score = Suites(protocol(), lpips=False).evaluate(copy_source, clips, Views(N, best=True))
    for clip, found in zip(clips, score.clips, strict=True):
        views = torch.cat([clip["video"][:, :1], clip["references"]], dim=1)[0]
        distances = torch.stack(
            [far(view.expand_as(clip["video"]), clip["video"]) for view in views]
        )
        assert found.view == distances.mean(1).argmin()
        assert found.metrics["l1"] == pytest.approx(distances.mean(1).min().item(), rel=1e-5)
        assert torch.allclose(found.motion, distances[0])


def test_with_references_is_the_clip_with_those_frames_in_it(clips, dime):
    score = Suites(protocol(), lpips=False).evaluate(dime.reconstruct, clips, Views(N))
    direct = ReconstructionSuite(Protocol(SIZE, frames=None, references=N), lpips=False)
    for clip in clips:
        numbers = [*clip["frame_index"][0].tolist(), *clip["reference_index"][0].tolist()]
        pixels = torch.cat([clip["video"], clip["references"]], dim=1)[0]
        whole = torch.stack([pixels[numbers.index(n)] for n in sorted(numbers)])[None]
        direct.update_clip(dime.reconstruct(whole, clip["references"]), whole)
    assert score.with_references == pytest.approx(direct.summary(), rel=1e-5)
    assert score.with_references["l1"] != pytest.approx(score.metrics["l1"], rel=1e-4)


def test_with_references_best_of_views_chooses_by_the_frames_that_count(clips):
    """A reference rebuilds itself: the choice may then fall on another view, and never worsens."""
    score = Suites(protocol(), lpips=False).evaluate(copy_source, clips, Views(N, best=True))
    means = []
    for clip in clips:
        whole = in_time(clip, clip["video"], clip["references"])
        views = torch.cat([clip["video"][:, :1], clip["references"]], dim=1)[0]
        means.append(min(far(view.expand_as(whole), whole).mean().item() for view in views))
    assert score.with_references["l1"] == pytest.approx(sum(means) / len(means), rel=1e-5)


def test_frames_are_put_in_order_of_time():
    clip = {
        "frame_index": torch.tensor([[0, 4, 9]]),
        "reference_index": torch.tensor([[2, 6]]),
    }
    frames = torch.tensor([0.0, 4.0, 9.0]).reshape(1, 3, 1, 1, 1)
    others = torch.tensor([2.0, 6.0]).reshape(1, 2, 1, 1, 1)
    assert in_time(clip, frames, others).flatten().tolist() == [0, 2, 4, 6, 9]


def test_references_are_never_scored_and_rows_with_fewer_get_a_part_of_them(clips):
    for clip in clips:
        assert not set(clip["frame_index"][0].tolist()) & set(clip["reference_index"][0].tolist())
        for count, part in ((0, []), (1, [1]), (2, [0, 2]), (3, [0, 1, 2])):
            sources, given = Views(count).split(clip)
            assert torch.equal(sources, clip["video"][:, :1])
            assert torch.equal(given, clip["references"][:, part])
            sources, given = Views(count, best=True).split(clip)
            assert torch.equal(sources[:, 1:], clip["references"][:, part])
            assert given.shape[1] == 0


def test_without_references_nothing_is_rebuilt_twice(clips):
    calls = []

    def counted(video, references):
        calls.append(video.shape[1])
        return copy_source(video)

    bare = [clip | {"references": clip["references"][:, :0]} for clip in clips[:1]]
    assert [one.shape[1] for one in next(rebuild(counted, bare[0], Views()))] == [FRAMES, 0]
    assert calls == [FRAMES]


def test_clip_values_average_to_the_rows_figures_in_either_way(clips, dime):
    for how in Averaging:
        suites = Suites(protocol(averaging=how, scored=Scored.ALL), lpips=False)
        score = suites.evaluate(dime.reconstruct, clips, Views(N))
        for name in ("l1", "psnr"):  # as many frames in each clip
            values = [clip.metrics[name] for clip in score.clips]
            assert score.metrics[name] == pytest.approx(sum(values) / len(values))
        assert len(score.clips[0].l1) == FRAMES


def test_other_numbers_of_references_and_no_clip_are_refused(clips):
    suites = Suites(protocol(references=2), lpips=False)
    with pytest.raises(ValueError, match="3 references do not fit"):
        suites.evaluate(copy_source, clips, Views(2))
    with pytest.raises(ValueError, match="no clip"):
        suites.evaluate(copy_source, [], Views(2))


def command(files, name, *words):
    options = ("--data", "toy", "--device", "cpu", "--no-lpips", "--frames", FRAMES, *TOY)
    return [str(word) for word in ("--checkpoint", files / f"{name}.ckpt", *options, *words)]


def test_the_row_of_the_best_views_stands_apart(files, tmp_path, capsys, clips):
    """Its own name, file and field; the table shows L1 with the references."""
    out = ["--output", tmp_path]
    assert main(command(files, "mraa", "--references", 3, "--best-of-views", *out)) == 0
    assert main(command(files, "mraa", *out)) == 0
    assert main(command(files, "dime", "--references", 3, *out)) == 0
    read = {r["model"]: r for r in (json.loads(p.read_text()) for p in tmp_path.glob("*.json"))}
    assert read.keys() == {"mraa (best of 4)", "mraa", "dime"}
    best = read["mraa (best of 4)"]
    assert best["views"] == "best of 4"
    assert "views" not in read["mraa"]
    assert best["protocol"]["references"] == best["config"]["references"] == 3
    assert "metrics_with_references" not in read["mraa"]
    animator = load_animator(files / "mraa.ckpt", "cpu")
    suites = Suites(protocol(clips=best["protocol"]["clips"]), lpips=False)
    direct = suites.evaluate(animator.reconstruct, clips, Views(N, best=True))
    assert {k: v for k, v in best["metrics"].items() if k != "flicker"} == direct.metrics
    assert best["metrics_with_references"] == direct.with_references
    text = markdown(sheet(build_table([best, read["dime"]])))
    assert "l1 with references ↓" in text
    assert f"{best['metrics_with_references']['l1']:.4f}" in text
    assert "| mraa (best of 4) |" in text
    with pytest.raises(ValueError, match="different protocols"):
        build_table([best, read["mraa"]])


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("mraa", ["--references", "3"], "mraa takes one picture"),
        ("mraa", ["--references", "3"], "--best-of-views scores the best of 4 views"),
        ("mraa", ["--data.init_args.references=2"], "--references 0 the source alone"),
        ("mraa", ["--best-of-views"], "add --references 3"),
        ("dime", ["--references", "3", "--best-of-views"], "leave --best-of-views out"),
        ("dime", ["--protocol", "recon-few", "--plain"], "leave --plain out"),
        ("mraa", ["--protocol", "cross-dime", "--plain"], "--plain is for recon-few"),
        ("mraa", ["--mode", "absolute"], "--mode is for the cross-"),
        ("dime", ["--references", "11"], "12 frames, 13 are needed"),
    ],
)
def test_views_that_do_not_fit(name, words, message, files, tmp_path, fails):
    out = tmp_path / "out"
    assert message in fails(main, *command(files, name, *words, "--output", out))
    assert not out.exists()


def test_references_are_a_number(files, capsys):
    assert main(command(files, "dime", "--references", "-1")) == 2
    assert "'-1' is not a number from 0 on" in capsys.readouterr().err
