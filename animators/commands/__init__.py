"""The commands, one file each, imported when `python -m animators` is asked for them."""
