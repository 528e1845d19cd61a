import json
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from animators import load_animator
from animators.nn.motion_dictionary import MotionDictionary
from benchmarks import speed, timing

FRAMES = 5
TINY = sorted((Path(__file__).parents[1] / "tiny").glob("*.yaml"))


@pytest.fixture(scope="module")
def animator(checkpoint):
    return load_animator(checkpoint, "cpu")


@pytest.fixture(scope="module")
def clip(animator):
    return timing.test_clip(animator, FRAMES)


@pytest.fixture(params=TINY, ids=[path.stem for path in TINY])
def tiny(request):
    """Each animator, tiny."""
    config = yaml.safe_load(request.param.read_text())["model"]
    module, name = config["class_path"].rsplit(".", 1)
    model = getattr(import_module(module), name)(**config["init_args"])
    with torch.no_grad():
        for p in model.network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def test_what_does_not_change_is_computed_once(tiny):
    calls = timing.count_calls(tiny, *timing.test_clip(tiny, FRAMES))
    assert calls == {
        "encode_source": 1,
        "encode_motion": FRAMES,
        "render": FRAMES,
        "qr": int(any(isinstance(part, MotionDictionary) for part in tiny.modules())),
    }
    assert "encode_source" not in vars(tiny)  # the counters are gone


def test_a_loop_that_encodes_again_is_seen(animator, clip, monkeypatch):
    """The counters can fail: put in the place of ours, the naive loops are found out."""
    for everything, motions in ((False, FRAMES + 1), (True, 2 * FRAMES + 1)):
        loop = partial(timing.naive, everything=everything)
        monkeypatch.setattr(timing, "ours", lambda a, s, d, chunk, loop=loop: loop(a, s, d))
        calls = timing.count_calls(animator, *clip)
        assert (calls["encode_source"], calls["encode_motion"]) == (FRAMES, motions)


@pytest.mark.parametrize("chunk", speed.CHUNKS)
def test_equal_output(tiny, chunk):
    """In double precision: random weights make much of rounding, which differs between chunks."""
    clip = timing.test_clip(tiny.double(), FRAMES)
    naive, ours = timing.naive(tiny, *clip), timing.ours(tiny, *clip, chunk)
    assert naive.shape == clip[1].shape
    assert (naive - ours).abs().max() < 1e-9
    assert naive.std() > 0
    assert torch.equal(timing.naive(tiny, *clip, everything=True), naive)


@pytest.fixture(params=TINY, ids=[path.stem for path in TINY])
def lively(request):
    """Each animator, tiny and random, as `--model` has it."""
    config = yaml.safe_load(request.param.read_text())["model"]
    module, name = config["class_path"].rsplit(".", 1)
    kind = getattr(import_module(module), name)
    losses = ("perceptual", "reconstruction", "adversar", "loss_weights", "use_", "discriminator")
    sizes = {k: v for k, v in config["init_args"].items() if not k.startswith(losses)}
    model = kind.for_inference({**sizes})
    timing.enliven(model)
    assert not model.training
    return model


def first_frame(animator, source, driving, chunk):
    return timing.naive(animator, source, driving[:, :1].expand_as(driving))


def absolute(animator, source, driving, chunk):
    chunks = torch.split(driving, chunk, dim=1)
    return torch.cat(list(animator.stream(source, chunks, mode="absolute")), dim=1)


def test_another_output_is_told_from_ours(lively, monkeypatch):
    """Equal as they are; not with the first frame for every frame, nor absolute for relative."""
    assert speed.measure(lively, FRAMES, 1)["equal_output"]
    for fault in (first_frame, absolute):
        with monkeypatch.context() as patch:
            patch.setattr(timing, "ours", fault)
            result = speed.measure(lively, FRAMES, 1)
        assert not result["equal_output"], fault
        worst = max(row["mean_difference"] for row in result["loops"].values())
        assert worst > 0.1 * result["change_between_frames"]


def test_a_picture_that_stands_still_is_refused(animator, monkeypatch):
    monkeypatch.setattr(timing, "naive", lambda a, s, d, **_: 0.5 + 1e-5 * d)
    with pytest.raises(ValueError, match=r"from frame to frame.*trained checkpoint"):
        speed.measure(animator, 3, 1)


def test_random_weights_of_the_model_move_and_the_record_says_so(tmp_path, monkeypatch, capsys):
    from animators.fomm import Fomm

    sizes = {"image_size": 64, "keypoint_width": 4, "motion_width": 4, "max_width": 16, "blocks": 2}
    sizes |= {"shrink_factor": 2, "generator_width": 4, "generator_max_width": 8}
    plain = Fomm.for_inference
    monkeypatch.setattr(Fomm, "for_inference", lambda arguments: plain(sizes | arguments))
    words = ["--model", "animators.fomm.Fomm", "--clip-frames", "3", "--repeats", "1"]
    assert speed.main([*words, "--device", "cpu", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("speed_fomm_*.json")
    record = json.loads(path.read_text())
    assert "random" in record["checkpoint"]["weights"]
    assert record["result"]["change_between_frames"] > speed.STILL
    assert f"{record['result']['change_between_frames']:.1e}" in capsys.readouterr().out


def test_memory_is_measured_before_any_other_loop(animator, monkeypatch):
    """A process's largest size never falls."""
    order = []
    for name in ("peak_memory", "naive", "count_calls", "interleaved", "part_times"):
        real = getattr(timing, name)
        monkeypatch.setattr(
            timing,
            name,
            lambda *a, name=name, real=real, **k: (order.append(name), real(*a, **k))[1],
        )
    speed.measure(animator, 2, 1)
    assert order[0] == "peak_memory"
    assert set(order[1:]) >= {"naive", "count_calls", "interleaved", "part_times"}


def test_every_record_there_is_can_be_read():
    paths = list(speed_records())
    assert any("speed_lia" in path.name for path in paths)
    for path in paths:
        record = json.loads(path.read_text())
        text = speed.report(record)
        assert f"{record['result']['ratio']:.2f}" in text
        assert "ms" in text.splitlines()[2]


def speed_records():
    return (Path(speed.__file__).parent / "results").glob("speed_*.json")


def test_ours_is_what_animate_does(animator, clip):
    animated = animator.animate(*clip, chunk=2)
    torch.testing.assert_close(timing.ours(animator, *clip, 2).clamp(0, 1), animated)


def test_record(checkpoint, tmp_path, capsys):
    words = ["--checkpoint", checkpoint, "--clip-frames", "3", "--repeats", "1", "--device", "cpu"]
    assert speed.main([str(word) for word in [*words, "--output", tmp_path]]) == 0
    (path,) = tmp_path.glob("speed_lia_*.json")
    record = json.loads(path.read_text())
    result = record["result"]
    assert record["device"] in capsys.readouterr().out
    assert 1 < result["ideal_ratio"] < result["ideal_ratio_to_everything"] < 3
    chunks = {"chunk 1", "chunk 2", "chunk 4", "chunk 8"}
    assert set(result["loops"]) == {"naive", "everything anew"} | chunks
    assert result["ratio"] == result["loops"]["chunk 1"]["ratio_to_naive"]
    assert result["equal_output"]
    assert result["peak_memory_bytes"] > 0
    assert result["parameters"] == record["checkpoint"]["parameters"]
    for row in result["loops"].values():
        assert row["frames_per_second"] == pytest.approx(1000 / row["ms_per_frame"])


def test_ideal_ratios_are_of_the_measured_times(animator, monkeypatch):
    times = {"source": 0.149, "motion": 0.149, "drawing": 0.190}
    monkeypatch.setattr(timing, "part_times", lambda *args: times)
    result = speed.measure(animator, 2, 1)
    assert result["ideal_ratio"] == pytest.approx(1.44, abs=0.005)
    assert result["ideal_ratio_to_everything"] == pytest.approx(1.88, abs=0.005)


def test_bad_inputs(tmp_path, fails):
    assert "absent.ckpt" in fails(speed.main, "--checkpoint", "absent.ckpt")
    assert "at least 2" in fails(speed.main, "--clip-frames", "1")
    assert "no animator" in fails(speed.main, "--model", "os.system")
    (tmp_path / "empty.ckpt").touch()
    assert "empty" in fails(speed.main, "--checkpoint", tmp_path / "empty.ckpt")
