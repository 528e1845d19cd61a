"""The hash by which a clip is known again."""

import hashlib
from pathlib import Path

from datamodules import media


def digest_of(path: Path) -> str:
    """Hash a clip with SHA-256.

    Args:
        path: a file, hashed as it is; or a folder of frames, for which the hashes of its files
            in natural order of their names, joined by line ends, are hashed. Hidden files and
            folders inside it do not count: no clip is read from them.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    files.sort(key=lambda p: media.natural_key(p.name))
    return hashlib.sha256("\n".join(map(digest_of, files)).encode()).hexdigest()
