import json

import pytest
import torch

from animators import load_animator
from benchmarks import speed, timing

FRAMES = 5


@pytest.fixture(scope="module")
def animator(checkpoint):
    return load_animator(checkpoint, "cpu")


@pytest.fixture(scope="module")
def clip(animator):
    return timing.test_clip(animator, FRAMES)


def test_source_is_encoded_once_and_directions_decomposed_once(animator, clip):
    calls = timing.count_calls(animator, *clip)
    assert calls == {"encoder": 1 + FRAMES, "decoder": FRAMES, "qr": 1}
    assert "encode_source" not in vars(animator)  # the counters are gone


def test_a_loop_that_encodes_again_is_seen(animator, clip, monkeypatch):
    """The counter can fail: put in the naive loop's place of ours it finds 2 T + 1."""
    monkeypatch.setattr(timing, "ours", lambda *arguments: timing.naive(*arguments[:3]))
    calls = timing.count_calls(animator, *clip)
    assert calls["encoder"] == 2 * FRAMES + 1


@pytest.mark.parametrize("chunk", speed.CHUNKS)
def test_equal_output(animator, clip, chunk):
    naive, ours = timing.naive(animator, *clip), timing.ours(animator, *clip, chunk)
    assert naive.shape == (1, FRAMES, 3, 64, 64)
    assert (naive - ours).abs().mean() < speed.TOLERANCE
    assert naive.std() > 0


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
    assert 1 < result["ideal_ratio"] < 2
    assert set(result["loops"]) == {"naive", "chunk 1", "chunk 2", "chunk 4", "chunk 8"}
    assert result["ratio"] == result["loops"]["chunk 1"]["ratio_to_naive"]
    assert result["peak_memory_bytes"] > 0
    assert result["parameters"] == record["checkpoint"]["parameters"]
    for row in result["loops"].values():
        assert row["frames_per_second"] == pytest.approx(1000 / row["ms_per_frame"])


def test_ideal_ratio_is_of_the_measured_times(animator, monkeypatch):
    monkeypatch.setattr(timing, "part_times", lambda *args: {"encoder": 0.149, "decoder": 0.190})
    assert speed.measure(animator, 2, 1)["ideal_ratio"] == pytest.approx(1.44, abs=0.005)


def test_bad_inputs(tmp_path, fails):
    assert "absent.ckpt" in fails(speed.main, "--checkpoint", "absent.ckpt")
    assert "at least 2" in fails(speed.main, "--clip-frames", "1")
    assert "no animator" in fails(speed.main, "--model", "os.system")
    (tmp_path / "empty.ckpt").touch()
    assert "empty" in fails(speed.main, "--checkpoint", tmp_path / "empty.ckpt")
