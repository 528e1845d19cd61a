"""Copy-source's numbers, which no animator changes: rows of one table share them."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.data import TestClips
    from benchmarks.views import Score


class Copies:
    """Scores of copy-source by what was asked; reuse one object for all rows of a table."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Score]] = {}

    def score(self, asked: Any, clips: "TestClips", evaluate: "Callable[[], Score]") -> "Score":
        """Score copy-source, or give what it scored for an earlier row.

        Args:
            asked: all that its numbers depend on, such as protocol, clips and metrics.
            clips: that `evaluate` passes over.
            evaluate: scores copy-source.
        """
        key = _key(asked)
        if key not in self._known:
            score = evaluate()
            self._known[key] = clips.digest, score
        return self._known[key][1]

    def check(self, asked: Any, clips: "TestClips") -> None:
        """Compare the clips that the animator has passed over with copy-source's.

        Raises:
            ValueError: they are others; someone changed files meanwhile.
        """
        digest, _ = self._known[_key(asked)]
        if clips.digest != digest:
            raise ValueError("the clips changed while they were measured: run the command again")


def _key(asked: Any) -> str:
    return json.dumps(asked, default=str, sort_keys=True)
