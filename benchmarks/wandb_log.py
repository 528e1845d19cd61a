"""`python -m benchmarks log`: benchmark rows as W&B tables, clips as W&B videos."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks import options

FILMS: Mapping[str, Literal["mp4", "webm"]] = {".mp4": "mp4", ".webm": "webm"}
"""What W&B shows as it is, without another library."""
HEADS = ("model", "data", "protocol", "device", "date")
COPIED = "copy-source"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks log", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--records",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE|FOLDER",
        help="records of `run`, such as benchmarks/results",
    )
    described.add_argument("--films", type=Path, help="folder of .mp4 or .webm, such as gallery's")
    described.add_argument("--project", default="animator-zoo", help="W&B's name for it")
    described.add_argument("--name", default="benchmarks", help="of the W&B run")
    described.add_argument(
        "--folder", type=Path, default=Path("runs"), help="where W&B keeps its files"
    )
    described.add_argument(
        "--offline", action="store_true", help="send nothing; `wandb sync` does it later"
    )
    return described


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read records, of a folder the newest of equals.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is damaged.
    """
    from benchmarks import records

    found: list[dict[str, Any]] = []
    for path in paths:
        found += records.read_records(path) if path.is_dir() else [records.read_record(path)]
    return found


def tabulate(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Lay records out as one table, copy-source once before the rows of its set and protocol.

    Returns:
        The columns and the rows; what a record did not measure is None.
    """
    metrics = list(dict.fromkeys(name for record in records for name in record["metrics"]))
    rows: list[list[Any]] = []
    seen: set[tuple[str, str]] = set()
    for record in sorted(records, key=_place):
        place, protocol = _place(record), record["protocol"]["name"]
        tail = [record["device"], record["date"]]
        if place not in seen:
            seen.add(place)
            copied = [record["copy_source"].get(name) for name in metrics]
            rows.append([COPIED, record["data"], protocol, *tail, *copied])
        measured = [record["metrics"].get(name) for name in metrics]
        rows.append([record["model"], record["data"], protocol, *tail, *measured])
    return [*HEADS, *metrics], rows


def _place(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record["data"]), str(record["protocol"]["name"])


def films(folder: Path | None) -> list[Path]:
    """List the clips of a folder.

    Raises:
        FileNotFoundError: there is no such folder, or no clip in it.
    """
    if folder is None:
        return []
    found = sorted(path for path in folder.glob("*") if path.suffix in FILMS)
    if not found:
        raise FileNotFoundError(f"there is no {' or '.join(FILMS)} in {folder}")
    return found


def send(arguments: argparse.Namespace) -> None:
    """Log rows and clips as one W&B run.

    Raises:
        OSError: a file is missing.
        ValueError: a record is damaged, or W&B refuses.
    """
    # all that can be wrong with the files, before W&B writes any
    found, clips = read(arguments.records), films(arguments.films)
    columns, rows = tabulate(found)
    import wandb

    arguments.folder.mkdir(parents=True, exist_ok=True)
    try:
        with wandb.init(
            project=arguments.project,
            name=arguments.name,
            job_type="benchmark",
            dir=arguments.folder,
            mode="offline" if arguments.offline else None,
            config={"higher_is_better": _directions(found)},
        ) as run:
            run.log({"benchmarks": wandb.Table(columns=[*columns], data=rows)})
            for clip in clips:
                # as the file is: without an array there is nothing to encode
                run.log({f"films/{clip.stem}": wandb.Video(str(clip), format=FILMS[clip.suffix])})
            where = Path(run.dir).parent
    except wandb.errors.Error as error:
        raise ValueError(f"W&B refuses: {error}; --offline asks for no account") from None
    finally:
        wandb.teardown()  # its own process writes the file, and ends when all is written
    print(f"{len(rows)} rows, {len(clips)} clips: {where}")


def _directions(records: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    return {name: more for r in records for name, more in r["higher_is_better"].items()}


def main(argv: Sequence[str]) -> int:
    """Log; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), send, argv)
