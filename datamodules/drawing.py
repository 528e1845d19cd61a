"""Anti-aliased shapes and textures in numpy, many frames at once.

Positions are xy in [-1, 1], y downwards, pixel centres at the ends. A shape is the signed
distance of every pixel to its edge, (T, S, S), negative inside, with its own coordinates
(u, v), so that a texture moves with the shape. Colours are RGB in [0, 1].
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from animators.nn.draws import generator

Array = npt.NDArray[np.floating[Any]]


class Numbers:
    """A stream of random numbers that depends on its key alone."""

    def __init__(self, seed: int, *key: int | str) -> None:
        self._source = generator(seed, *key)

    def uniform(self, low: float, high: float) -> float:
        """Draw from [low, high)."""
        return (
            low + (high - low) * torch.rand((), generator=self._source, dtype=torch.float64).item()
        )

    def signed(self, low: float, high: float) -> float:
        """Draw from [low, high) with a random sign."""
        return self.uniform(low, high) * (1 if self.integer(0, 2) else -1)

    def integer(self, low: int, high: int) -> int:
        """Draw from low to high - 1."""
        return int(torch.randint(low, high, (), generator=self._source).item())

    def colour(self, saturation: Sequence[float], value: Sequence[float]) -> Array:
        """Draw a colour (3,) of any hue within ranges of saturation and value."""
        hue = self.uniform(0, 1)
        rgb = colorsys.hsv_to_rgb(hue, self.uniform(*saturation), self.uniform(*value))
        return np.array(rgb, np.float32)


class Shape(NamedTuple):
    """Signed distance (T, S, S) and the shape's own coordinates (u, v), about -1 to 1."""

    distance: Array
    u: Array
    v: Array


@dataclass(frozen=True)
class Texture:
    """Two colours mixed by a pattern over (u, v).

    Attributes:
        first: (3,) colour.
        second: (3,) colour.
        kind: 0 plain, 1 stripes along u, 2 stripes along v, 3 checks, 4 dots.
        frequency: periods per unit.
        phase: in radians.
    """

    first: Array
    second: Array
    kind: int = 0
    frequency: float = 1.0
    phase: float = 0.0

    def colours(self, u: Array, v: Array) -> Array:
        """Colour (T, S, S, 3) at the coordinates (T, S, S)."""
        if self.kind == 0:
            return np.broadcast_to(self.first, (1, 1, 1, 3))
        wave = np.float32(2 * np.pi * self.frequency)
        along, across = np.sin(wave * u + np.float32(self.phase)), np.sin(wave * v + 1)
        level = {1: along, 2: across, 3: along * across, 4: along + across - 0.6}[self.kind]
        mix = (0.5 + 0.5 * np.clip(2.5 * level, -1, 1))[..., None]
        return self.first + mix * (self.second - self.first)


class Canvas:
    """T square pictures of one size, painted back to front."""

    def __init__(self, frames: int, size: int) -> None:
        axis = np.linspace(-1, 1, size, dtype=np.float32)
        self.x = axis[None, None, :]
        self.y = axis[None, :, None]
        self.pixel = 2 / (size - 1)
        self.image = np.zeros((frames, size, size, 3), np.float32)

    def paint(self, shape: Shape, texture: Texture) -> None:
        """Cover a shape; its edge is mixed over one pixel."""
        cover = np.clip(0.5 - shape.distance / self.pixel, 0, 1)
        rows = np.flatnonzero(cover.any(axis=(0, 2)))
        if not len(rows):
            return
        band = slice(rows[0], rows[-1] + 1)
        picture = self.image[:, band]
        colours = texture.colours(shape.u[:, band], shape.v[:, band])
        picture += cover[:, band, :, None] * (colours - picture)

    def uint8(self) -> npt.NDArray[np.uint8]:
        """Return the pictures (T, 3, S, S) in 0 to 255."""
        whole = np.round(np.clip(self.image, 0, 1) * 255).astype(np.uint8)
        return np.ascontiguousarray(whole.transpose(0, 3, 1, 2))

    def capsule(self, start: Array, end: Array, radius: float) -> Shape:
        """A limb of round ends between two points (T, 2); u runs along it, v across."""
        (ax, ay), (dx, dy) = _columns(start), _columns(end - start)
        length = np.sqrt(dx**2 + dy**2) + np.float32(1e-6)
        px, py = self.x - ax, self.y - ay
        along = (px * dx + py * dy) / length
        across = (py * dx - px * dy) / length
        beyond = along - np.clip(along, 0, length)
        distance = np.sqrt(beyond**2 + across**2) - np.float32(radius)
        return Shape(distance, along, across)

    def ellipse(
        self, centre: Array, radii: Array | tuple[float, float], angle: Array | float = 0.0
    ) -> Shape:
        """An ellipse at (T, 2) with radii (T, 2), or two numbers, turned by (T,) radians."""
        cx, cy = _columns(centre)
        rx, ry = _columns(np.broadcast_to(np.asarray(radii, np.float32), centre.shape))
        turn = np.broadcast_to(np.asarray(angle, np.float32), centre.shape[:1])[:, None, None]
        px, py = self.x - cx, self.y - cy
        u = px * np.cos(turn) + py * np.sin(turn)
        v = py * np.cos(turn) - px * np.sin(turn)
        scaled = np.sqrt((u / rx) ** 2 + (v / ry) ** 2)
        # first-order distance to the edge: value of the implicit function over its gradient
        slope = np.sqrt((u / rx**2) ** 2 + (v / ry**2) ** 2) + np.float32(1e-6)
        distance = np.where(scaled > 1e-3, scaled * (scaled - 1) / slope, -np.minimum(rx, ry))
        return Shape(distance.astype(np.float32), u, v)

    def ground(self, numbers: Numbers) -> None:
        """Fill all frames with one quiet texture: a slope of two colours, waves, soft spots."""
        tone = numbers.uniform(0.35, 0.75)
        near = numbers.colour((0.1, 0.35), (tone, tone + 0.1))
        far = numbers.colour((0.1, 0.35), (tone - 0.15, tone))
        slope = 0.5 + 0.5 * (self.y + numbers.uniform(-0.4, 0.4) * self.x)
        picture = near + slope[..., None] * (far - near)
        for _ in range(3):
            fx, fy = numbers.signed(0.5, 2.5), numbers.signed(0.5, 2.5)
            wave = np.sin(np.pi * (fx * self.x + fy * self.y) + numbers.uniform(0, 6))
            picture = picture + numbers.uniform(0.02, 0.06) * wave[..., None]
        for _ in range(5):
            x, y, width = (numbers.uniform(-1, 1) for _ in range(3))
            spot = np.exp(-((self.x - x) ** 2 + (self.y - y) ** 2) / (0.03 + 0.08 * abs(width)))
            paint = numbers.colour((0.1, 0.5), (0.3, 0.9))
            picture = picture + 0.45 * spot[..., None] * (paint - picture)
        self.image[:] = picture


def _columns(points: Array) -> tuple[Array, Array]:
    """Split points (T, 2) into x and y of shape (T, 1, 1)."""
    pair = points.astype(np.float32)[:, None, None]
    return pair[..., 0], pair[..., 1]
