"""The figures of the toy data: how a puppet and a cartoon head look and move."""

from collections.abc import Callable, Sequence

import numpy as np

from datamodules.drawing import Array, Canvas, Numbers, Shape, Texture

BEAT = 32
"""Frames of the slowest swing; faster ones fit into it whole."""


def _swings(motion: Numbers, frames: int) -> Callable[[float, float], Array]:
    """Return a maker of smooth movements (T,) that stay within rest +- reach."""
    time = np.arange(frames, dtype=np.float32) * np.float32(2 * np.pi / BEAT)

    def swing(rest: float, reach: float) -> Array:
        size = motion.signed(0.6, 1.0) * reach
        beat, phase = motion.integer(1, 3), motion.uniform(0, 6.28)
        # a small overtone, so that no two movements are the same curve
        extra = 0.25 * np.sin((beat + 1) * time + motion.uniform(0, 6.28))
        moved = rest + 0.8 * size * (np.sin(beat * time + phase) + extra)
        return moved.astype(np.float32)

    return swing


def _texture(looks: Numbers, kinds: Sequence[int] = (0, 1, 2, 3, 4)) -> Texture:
    return Texture(
        looks.colour((0.55, 0.95), (0.45, 0.95)),
        looks.colour((0.1, 0.9), (0.25, 1.0)),
        kinds[looks.integer(0, len(kinds))],
        looks.uniform(2.0, 4.5),
        looks.uniform(0, 6.28),
    )


def _skin(looks: Numbers) -> Texture:
    light = looks.uniform(0.35, 0.95)
    tone = np.array([light, light * looks.uniform(0.72, 0.82), light * looks.uniform(0.55, 0.7)])
    return Texture(tone.astype(np.float32), tone.astype(np.float32))


def _plain(*rgb: float) -> Texture:
    colour = np.array(rgb, np.float32)
    return Texture(colour, colour)


def _along(start: Array, angle: Array, length: float) -> Array:
    """Point (T, 2) at a length from start, angle 0 downwards, positive to the right."""
    return start + length * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def paint_puppet(canvas: Canvas, looks: Numbers, motion: Numbers, frames: int) -> list[Array]:
    """Paint a puppet and return its 15 joints, each (T, 2)."""
    skin, shirt, trousers = _skin(looks), _texture(looks, (1, 2, 3, 4)), _texture(looks)
    sleeves = shirt if looks.integer(0, 2) else _texture(looks)
    hair, shoes = _texture(looks, (0,)), _texture(looks, (0,))
    size = looks.uniform(0.92, 1.08)
    stout = looks.uniform(0.85, 1.25)
    swing = _swings(motion, frames)

    lean = swing(0, 0.22)
    pelvis = np.stack([swing(0, 0.16), 0.16 + swing(0, 0.05)], axis=-1)
    neck = _along(pelvis, np.pi - lean, 0.52 * size)
    head = _along(neck, np.pi - lean - swing(0, 0.3), 0.23 * size)
    side = np.stack([np.cos(lean), np.sin(lean)], axis=-1)
    joints: dict[str, list[Array]] = {name: [] for name in ("shoulder", "elbow", "hand")}
    legs: dict[str, list[Array]] = {name: [] for name in ("hip", "knee", "foot")}
    for way in (-1, 1):
        raised = swing(1.3, 0.95)
        bend = swing(0.5, 0.7)
        shoulder = neck + way * 0.17 * stout * side + np.array([0, 0.05])
        elbow = _along(shoulder, way * raised, 0.29 * size)
        joints["shoulder"].append(shoulder)
        joints["elbow"].append(elbow)
        joints["hand"].append(_along(elbow, way * (raised + bend), 0.27 * size))
        spread = swing(0.22, 0.25)
        hip = pelvis + way * 0.1 * stout * side
        knee = _along(hip, way * spread, 0.34 * size)
        legs["hip"].append(hip)
        legs["knee"].append(knee)
        legs["foot"].append(_along(knee, way * (spread - abs(swing(0.1, 0.25))), 0.33 * size))

    for hip, knee, foot in zip(*legs.values(), strict=True):
        canvas.paint(canvas.capsule(knee, foot, 0.06), trousers)
        canvas.paint(canvas.capsule(hip, knee, 0.075), trousers)
        canvas.paint(canvas.ellipse(foot + np.array([0, 0.03]), (0.1, 0.055)), shoes)
    canvas.paint(canvas.capsule(neck, head, 0.06), skin)
    canvas.paint(canvas.capsule(pelvis, neck + np.array([0, 0.1]), 0.17 * stout), shirt)
    _small_head(canvas, head, np.arctan2(*(head - neck).T * np.array([[1], [-1]])), skin, hair)
    for shoulder, elbow, hand in zip(*joints.values(), strict=True):
        canvas.paint(canvas.capsule(shoulder, elbow, 0.065), sleeves)
        canvas.paint(canvas.capsule(elbow, hand, 0.05), skin)
        canvas.paint(canvas.ellipse(hand, (0.07, 0.07)), skin)
    paired = [part for limb in (joints, legs) for part in limb.values()]
    return [head, neck, pelvis, *(point for pair in paired for point in pair)]


def _small_head(canvas: Canvas, head: Array, angle: Array, skin: Texture, hair: Texture) -> None:
    def at(x: float, y: float) -> Array:
        turned = [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
        return head + np.stack(turned, axis=-1)

    canvas.paint(canvas.ellipse(at(0, -0.05), (0.16, 0.16), angle), hair)
    canvas.paint(canvas.ellipse(at(0, 0.03), (0.135, 0.15), angle), skin)
    for way in (-1, 1):
        canvas.paint(
            canvas.ellipse(at(way * 0.055, 0.0), (0.022, 0.028), angle), _plain(0.1, 0.1, 0.15)
        )
    canvas.paint(
        canvas.capsule(at(-0.045, 0.095), at(0.045, 0.095), 0.012), _plain(0.6, 0.15, 0.15)
    )


def paint_head(canvas: Canvas, looks: Numbers, motion: Numbers, frames: int) -> list[Array]:
    """Paint a cartoon head and return its 15 keypoints, each (T, 2)."""
    skin, hair, coat = _skin(looks), _texture(looks, (1, 2, 4)), _texture(looks, (1, 2, 3, 4))
    iris, lips = _texture(looks, (0,)), _plain(looks.uniform(0.6, 0.85), 0.2, 0.25)
    width, height = looks.uniform(0.4, 0.48), looks.uniform(0.5, 0.58)
    apart, long_hair = looks.uniform(0.16, 0.2), looks.uniform(0.0, 0.25)
    swing = _swings(motion, frames)
    angle = swing(0, 0.3)
    centre = np.stack([swing(0, 0.16), -0.05 + swing(0, 0.08)], axis=-1)
    turn, nod = swing(0, 0.13), swing(0, 0.09)

    def at(x: float | Array, y: float | Array) -> Array:
        x, y = np.broadcast_to(x, frames), np.broadcast_to(y, frames)
        turned = [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
        return centre + np.stack(turned, axis=-1).astype(np.float32)

    def oval(place: Array, rx: float | Array, ry: float | Array) -> Shape:
        radii = np.stack([np.broadcast_to(rx, frames), np.broadcast_to(ry, frames)], axis=-1)
        return canvas.ellipse(place, radii.astype(np.float32), angle)

    chin = at(turn * 0.5, height + nod * 0.3)
    ears = [at(way * width - turn * 0.4, 0.0) for way in (-1, 1)]
    body = np.stack([centre[:, 0] * 0.4, np.full(frames, 1.15, np.float32)], axis=-1)
    canvas.paint(
        oval(at(-turn * 0.3, -0.1 + long_hair / 2), width + 0.1, height + 0.06 + long_hair), hair
    )
    canvas.paint(canvas.capsule(at(0, 0.3), body, 0.17), skin)
    canvas.paint(canvas.ellipse(body, (0.75, 0.42)), coat)
    for ear in ears:
        canvas.paint(oval(ear, 0.08, 0.11), skin)
    canvas.paint(oval(at(0, 0), width, height), skin)
    canvas.paint(oval(at(turn * 0.4, -height * 0.86 + nod * 0.4), width * 0.8, height * 0.32), hair)

    lids = np.clip(swing(0.085, 0.08), 0.012, 0.1)
    gaze = swing(0, 0.04), swing(0, 0.03)
    lifted = swing(0, 0.05)
    eyes, pupils, brows = [], [], []
    for way in (-1, 1):
        eyes.append(at(way * apart + turn, -0.06 + nod))
        pupils.append(at(way * apart + turn + gaze[0], -0.06 + nod + gaze[1]))
        brows.append(at(way * apart + turn, -0.21 + nod + lifted))
        canvas.paint(oval(eyes[-1], 0.1, lids), _plain(0.97, 0.97, 0.97))
        canvas.paint(oval(pupils[-1], 0.05, np.minimum(lids, 0.05)), iris)
        canvas.paint(oval(pupils[-1], 0.022, np.minimum(lids, 0.022)), _plain(0.05, 0.05, 0.08))
        ends = [at(way * apart + turn + reach, -0.21 + nod + lifted) for reach in (-0.08, 0.08)]
        canvas.paint(canvas.capsule(ends[0], ends[1], 0.025), hair)
    nose = at(turn * 1.35, 0.1 + nod * 1.2)
    shade = _plain(*(0.8 * skin.first))
    canvas.paint(canvas.capsule(at(turn * 1.1, -0.02 + nod), nose, 0.035), shade)
    wide, opened = swing(0.15, 0.05), np.clip(swing(0.06, 0.08), 0.012, 0.15)
    mouth = at(turn, 0.29 + nod)
    canvas.paint(oval(mouth, wide + 0.025, opened + 0.03), lips)
    canvas.paint(oval(mouth, wide, opened), _plain(0.25, 0.05, 0.08))
    corners = [at(turn + way * wide, 0.29 + nod) for way in (-1, 1)]
    lip_pair = [at(turn, 0.29 + nod - opened), at(turn, 0.29 + nod + opened)]
    crown = at(turn * 0.2, -height)
    return [crown, nose, chin, *ears, *eyes, *pupils, *brows, *corners, *lip_pair]
