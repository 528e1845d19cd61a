"""What changes from epoch to epoch while a spline model trains (TPSMM); epochs count from 0."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SplineDropout:
    """Probability of dropping a spline, rising linearly and then off.

    Attributes:
        start: probability at epoch 0.
        most: the highest probability.
        rise: epochs in which it rises by `most`.
        until: first epoch without dropout; 0 never drops.
    """

    start: float = 0.1
    most: float = 0.3
    rise: int = 10
    until: int = 35

    def __post_init__(self) -> None:
        """Refuse what is no probability.

        Raises:
            ValueError: the setting and what it may be.
        """
        if not 0 <= self.start <= self.most < 1:
            raise ValueError(
                f"dropout needs 0 <= start <= most < 1, got start {self.start} and most {self.most}"
            )
        if self.rise < 1 or self.until < 0:
            raise ValueError(
                "dropout needs rise of at least 1 epoch and until of at least 0, "
                f"got rise {self.rise} and until {self.until}"
            )

    def probability(self, epoch: int) -> float | None:
        """Return min(most epoch / rise + start, most); None once dropout is over."""
        if epoch >= self.until:
            return None
        return min(self.most * epoch / self.rise + self.start, self.most)


def background_trains(epoch: int, start: int) -> bool:
    """Whether the background's network takes part; before, the background stands still."""
    return epoch >= start
