"""Networks for tests that read their answers off the picture, and pictures that hold them."""

import numpy as np
import torch

SIZE = 64
SHOWN = np.array([[10, 12], [30, 20], [40, 45], [22, 50]])


def picture(points, person=0, size=SIZE):
    """Draw points (K, 2), a colour each, before a ground that says who it is: (3, H, W) in [0, 1].

    A point of NaN is not drawn.
    """
    levels = torch.zeros(3, size, size)
    levels[2] = person / 255
    for number, (x, y) in enumerate(points, 1):
        if not np.isnan(x):
            levels[0, int(y), int(x)] = number / 255
    return levels


def clip(*frames):
    return torch.stack([picture(*frame) for frame in frames])


class Dots:
    """Finds the points of `picture`; nobody in one without any."""

    name = "dots"
    version = "dots 1"
    points = len(SHOWN)

    def __init__(self, adds=0.0):
        self.asked = []
        self.adds = adds  # to points of a frame that comes with a shared one

    def find(self, frame, shared=None):
        self.asked.append((frame, shared))
        found = np.full((self.points, 2), np.nan)
        for number in range(self.points):
            y, x = np.nonzero(frame[..., 0] == number + 1)
            if len(x):
                found[number] = x[0], y[0]
        if np.isnan(found).all():
            return None
        return found + (self.adds if shared is not None else 0.0)


class Ground:
    """Describes who it is by the ground's colour, as a vector; nobody where that is black."""

    name = "ground"
    version = "ground 1"

    def __init__(self, vectors):
        self.vectors = vectors
        self.asked = 0

    def describe(self, frame):
        self.asked += 1
        person = int(frame[0, 0, 2])
        return None if person == 0 else np.asarray(self.vectors[person], float)
