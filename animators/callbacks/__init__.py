"""What happens around the training loop: checkpoints, evaluation, pictures, progress."""

from animators.callbacks.checkpoints import Checkpoints
from animators.callbacks.ema import Ema
from animators.callbacks.evaluate import Evaluate
from animators.callbacks.progress import Progress
from animators.callbacks.samples import SampleClips
from animators.callbacks.seeding import SeedEachBatch

__all__ = ["Checkpoints", "Ema", "Evaluate", "Progress", "SampleClips", "SeedEachBatch"]
