"""From any folder of videos, or a public set's originals, to a training root."""
