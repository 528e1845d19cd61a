import pytest
import torch

from animators.metrics import Averaging, ImageQuality
from animators.metrics.networks import Judge


class Brightness:
    name, version = "brightness", "7"

    def __init__(self, higher_is_better):
        self.higher_is_better = higher_is_better

    def score(self, frame):
        assert frame.dtype == "uint8"
        return float(frame.mean())


@pytest.mark.parametrize("higher", [True, False])
def test_the_judge_scores_generated_frames_and_says_which_way_is_better(higher):
    judge = Brightness(higher)
    assert isinstance(judge, Judge)
    metric = ImageQuality(Averaging.VIDEO, judge)
    assert (metric.name, metric.detector) == ("quality_brightness", "7")
    assert metric.higher_is_better is higher
    levels = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1, 1).expand(3, 3, 4, 4)
    metric.update(levels, torch.ones(3, 3, 4, 4), torch.ones(3, 4, 4))
    metric.update(levels[:1], torch.ones(1, 3, 4, 4), torch.ones(3, 4, 4))
    assert float(metric.compute()) == pytest.approx(255 * 0.3)
