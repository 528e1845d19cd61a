"""The animators of tests/tiny, built with and without the command line."""

from importlib import import_module
from pathlib import Path

import torch
import yaml

from animators.commands import train

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/tiny"


def tiny_animator(name, **changes):
    """The animator of one tiny YAML, its weights shaken so that they do something."""
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["model"]
    module, kind = config["class_path"].rsplit(".", 1)
    torch.manual_seed(0)
    model = getattr(import_module(module), kind)(**(config["init_args"] | changes))
    with torch.no_grad():
        for p in model.network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def fit_tiny(name, run, frames, *options):
    """Train the tiny YAML's animator on four toy clips, by the command."""
    configs = (
        *(f"zoo_configs/{c}" for c in ("trainer/debug", "logger/csv", "data/toy")),
        f"tests/tiny/{name}",
    )
    return train.main(
        [
            "fit",
            *(f"--config={ROOT / config}.yaml" for config in configs),
            f"--run_dir={run}",
            "--data.init_args.toy={train_clips: 4, identities: 2, test_clips: 1, "
            f"test_identities: 1, frames: {frames}}}",
            "--data.init_args.batch_size=2",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *options,
        ]
    )
