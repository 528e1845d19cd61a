import av
import pytest


@pytest.fixture(scope="session")
def portrait_clips(shared_dir):
    """Five clips of talking heads, 256x256: the first frame of each, and its thirtieth."""
    found = []
    for path in sorted((shared_dir / "data" / "train" / "faces").glob("*.mp4"))[:5]:
        with av.open(path) as clip:
            frames = [
                frame.to_ndarray(format="rgb24")
                for number, frame in zip(range(30), clip.decode(video=0), strict=False)
                if number in (0, 29)
            ]
        found.append(tuple(frames))
    return found


@pytest.fixture(scope="session")
def portraits(portrait_clips):
    """Their first frames."""
    return [first for first, _ in portrait_clips]
