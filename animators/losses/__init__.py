"""Losses that animators share; plain torch."""
