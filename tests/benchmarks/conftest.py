import pytest
import torch

from animators.lia import Lia
from animators.weights import save_animator

TINY = {"image_size": 64, "latent_dim": 32, "motion_dim": 5, "channel_multiplier": 0.0625}
TOY = [
    "--data.init_args.toy.test_clips=3",
    "--data.init_args.toy.test_identities=3",
    "--data.init_args.toy.train_clips=2",
    "--data.init_args.toy.identities=2",
    "--data.init_args.toy.frames=6",
]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A tiny LIA of 64 pixels with random weights."""
    path = tmp_path_factory.mktemp("run") / "tiny.ckpt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_animator(Lia.for_inference(TINY), path)
    return path


@pytest.fixture
def toy(checkpoint):
    """Options that name the checkpoint and three toy clips of six frames."""
    return ["--checkpoint", str(checkpoint), "--data", "toy", "--device", "cpu", *TOY]


@pytest.fixture
def fails(capsys):
    """Run a command's main and give its one line on stderr; its status must be 2."""

    def run(main, *argv):
        capsys.readouterr()
        assert main([str(word) for word in argv]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return run
