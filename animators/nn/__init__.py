"""Blocks that animators share; plain torch, no lightning, no data.

Letters in shapes: B batch, T frames, K keypoints, N points, C channels, H height, W width,
D motion directions. Coordinates are xy in [-1, 1].
"""
