"""Test clips for a benchmark: the datamodule out of its YAML, batches as animators take them."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentError, ArgumentParser
from tqdm import tqdm

from datamodules import FramePairs, media

CLASS = "datamodules.FramePairs"
FOLDER = Path("zoo_configs/data")


def data_file(name: str) -> Path:
    """Find a data YAML by its name (`faces`) or its path.

    Raises:
        FileNotFoundError: there is none; the message names those that there are.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise FileNotFoundError(f"there is no data file {path}")
    for folder in (FOLDER, Path(__file__).resolve().parent.parent / FOLDER):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml"))) or "nothing"
    raise FileNotFoundError(f"there is no data called {name!r}; {FOLDER} has: {known}")


def read_options(file: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read the arguments of the datamodule.

    Args:
        file: a YAML with the one key `data`.
        overrides: words such as `--data.init_args.root=clips`, which win.

    Returns:
        Every argument of `FramePairs`, as plain values.

    Raises:
        ValueError: no YAML, or a key or value that the datamodule does not take.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get("data"), dict):
        raise ValueError(f"{file} has no key 'data' with a class_path and init_args")
    if surplus := sorted(map(str, content.keys() - {"data"})):
        raise ValueError(f"{file} has unknown keys {surplus}; a data file has the one key 'data'")
    if content["data"].get("class_path") != CLASS:
        raise ValueError(f"{file}: data.class_path must be {CLASS}")
    try:
        parsed = _parser().parse_object(content)
        parsed = _parser().parse_args(list(overrides), namespace=parsed)
    except ArgumentError as error:
        raise ValueError(f"{file}: {_brief(error)}") from error
    options: dict[str, Any] = parsed.data.init_args.as_dict()
    return options


def _parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--data.class_path", type=str, default=CLASS)
    parser.add_class_arguments(FramePairs, "data.init_args")
    return parser


def _brief(error: Exception) -> str:
    """Say in one line what is wrong, out of the parser's report of every alternative."""
    text = " ".join(str(error).split())
    head, _, tail = text.partition("Errors:")
    if not tail:
        return text[:300]
    reasons = [part.split(" Given value")[0].strip() for part in tail.split(" - ")]
    said = [part for part in reasons if part and not part.startswith("Expected a <class 'None")]
    key = re.search(r'"([\w.]+)"', head)
    return (f"{key[1]}: " if key else "") + "; ".join(said)[:300]


def build_data(options: dict[str, Any]) -> FramePairs:
    """Build the datamodule and find its test clips.

    Args:
        options: as `read_options` gives them, or some of them.

    Returns:
        The datamodule, set up for testing.

    Raises:
        FileNotFoundError: the clips are not there.
        ValueError: a set without clips, or values that do not fit.
    """
    parser = _parser()
    try:
        settings = parser.parse_object({"data": {"class_path": CLASS, "init_args": options}})
        built = parser.instantiate(settings)
    except (ArgumentError, ValueError) as error:
        raise ValueError(_brief(error)) from error
    data: FramePairs = built.data.init_args
    data.setup("test")
    return data


def public_options(options: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments for a record: of the root, a folder of one machine, the last part only.

    Of lists and folders that lie elsewhere too.
    """
    root = options.get("root")
    told = {name: value for name, value in options.items() if name != "about"}
    for name, value in told.items():
        if isinstance(value, str) and Path(value).is_absolute():
            told[name] = Path(value).name
    return told | {"root": None if root is None else Path(root).name}


class TestClips:
    """The test clips as an animator takes them, with a progress bar; can be passed over again.

    Args:
        data: set up for testing.
        device: where the clips go.
        title: what the progress bar says.
        limit: the first so many clips; None takes all.

    Attributes:
        digest: sha256 over names, frame numbers and pixels of the clips passed over last. Their
            references are not hashed: which frames they are follows from the scored ones and the
            protocol's name.
        frames: frames passed over last, source frames among them.
        count: clips passed over last.
    """

    __test__ = False  # not a test, whatever its name says

    def __init__(
        self, data: FramePairs, device: torch.device, title: str, limit: int | None = None
    ) -> None:
        self.data = data
        self.device = device
        self.title = title
        self.limit = limit
        self.digest = ""
        self.frames = 0
        self.count = 0

    pictures: tuple[str, ...] = ("video", "references")
    """Keys of a batch that become floats: those that are hashed, the clip last, then references."""

    def batches(self) -> Iterator[dict[str, Any]]:
        """Give each clip as the datamodule does."""
        loader = self.data.test_dataloader()
        total = len(loader) if self.limit is None else min(self.limit, len(loader))
        yield from tqdm(islice(loader, total), total=total, desc=self.title, unit="clip")

    @staticmethod
    def label(batch: Mapping[str, Any]) -> Any:
        """What a clip is known by."""
        return batch["name"], batch["frame_index"].tolist()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give each clip: `video` (1, T, 3, H, W) and `references` in [0, 1], `name`, `fps`."""
        digest = hashlib.sha256()
        self.frames, self.count = 0, 0
        for batch in self.batches():
            digest.update(repr(self.label(batch)).encode())
            for key in self.pictures[:-1]:
                digest.update(batch[key].numpy().tobytes())
            self.frames += batch[self.pictures[-2]].shape[1]
            self.count += 1
            floats = {key: media.to_float(batch[key].to(self.device)) for key in self.pictures}
            yield batch | floats
        self.digest = digest.hexdigest()
