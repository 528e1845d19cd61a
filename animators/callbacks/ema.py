"""Average of the weights for validation and for the checkpoint that users open."""

from lightning.pytorch.callbacks import EMAWeightAveraging


class Ema(EMAWeightAveraging):
    """Lightning's exponential moving average, updated at each optimiser step.

    Validation scores the average, and a checkpoint's `state_dict` holds it, so that
    `load_animator` and `--init_from` take it; the raw weights stand in
    `current_model_state`, from which training resumes exactly. Buffers are not averaged: the
    average has those of the newest weights.

    Args:
        decay: share of the old average kept at each step, in [0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the average's decay must lie in [0, 1), got {decay}")
        # batch norm's statistics are averages already: averaged once more they keep, for thousands
        # of steps, a share of the value at which they begin
        super().__init__(decay=decay, use_buffers=False)
