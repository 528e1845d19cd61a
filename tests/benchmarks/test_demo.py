import pytest
import torch
import yaml

import animators.weights
from benchmarks import demo
from datamodules import FramePairs, ToySettings, media

TOY = {"train_clips": 4, "test_clips": 4, "frames": 6, "identities": 4, "test_identities": 4}


@pytest.fixture
def run(tmp_path):
    options = {"root": None, "image_size": 32, "batch_size": 2, "toy": TOY}
    config = {"data": {"class_path": "datamodules.FramePairs", "init_args": options}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


class Between:
    """An animator that is off by a known share of the way back to the source."""

    device = torch.device("cpu")

    def __init__(self, share):
        self.share = share

    def reconstruct(self, video):
        return video + self.share * (video[:, :1] - video)


@pytest.mark.parametrize(("share", "status"), [(0.0, 0), (0.69, 0), (0.71, 1), (1.0, 1)])
def test_a_run_passes_only_below_the_bound(run, share, status, monkeypatch, capsys):
    monkeypatch.setattr(animators.weights, "load_animator", lambda path: Between(share))
    assert demo.main(["judge", str(run)]) == status
    assert f"is {share:.2f} of copy-source's" in capsys.readouterr().out
    table = (run / "table.md").read_text()
    assert table.splitlines()[2].startswith("| copy-source | ")


def test_the_picture_and_the_clip_show_different_test_figures(run):
    assert demo.main(["files", str(run)]) == 0
    picture = media.read_image(run / "picture.png")
    with media.open_clip(run / "driving.mp4") as clip:
        assert clip.num_frames == TOY["frames"]
        first = clip.read([0])[0]
    data = FramePairs(root=None, image_size=32, toy=ToySettings(**TOY))
    source, driving = data.test_clips.read(0, [0]), data.test_clips.read(2, [0])
    assert torch.equal(media.to_tensor(picture[None]), source)
    # h264 rounds, but another clip would be far away
    assert (media.to_tensor(first[None]).int() - driving.int()).abs().float().mean() < 12
    assert data.test_clips.identity(0) != data.test_clips.identity(2)
    train = {data.train_clips.identity(i) for i in range(len(data.train_clips))}
    assert not train & {data.test_clips.identity(i) for i in (0, 2)}


def test_no_run_and_no_toy_run_are_one_line_each(run, tmp_path, capsys):
    assert demo.main(["judge", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no ")
    config = {"data": {"init_args": {"root": "clips"}}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert demo.main(["files", str(run)]) == 2
    assert "not on toy clips" in capsys.readouterr().err
    assert not (run / "picture.png").exists()
