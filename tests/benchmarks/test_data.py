import pytest

from datamodules.items import scored_frames


@pytest.mark.parametrize("frames", [2, 8, 32, None])
@pytest.mark.parametrize("references", [1, 3, 6])
def test_references_follow_from_the_scored_frames(frames, references):
    """Whatever a clip's length: a digest of the scored frames need not hold the others."""
    known = {}
    for total in range(references + 2, 200):
        scored, others = scored_frames(total, frames, references)
        assert known.setdefault(tuple(scored), others) == others
    assert len(known) > 100
