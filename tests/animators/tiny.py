"""The animators of tests/tiny, built without the command line."""

from importlib import import_module
from pathlib import Path

import torch
import yaml

FOLDER = Path(__file__).parents[1] / "tiny"


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
