"""`python -m benchmarks loader`: pairs from every form of a clip, beside a plain reader."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from benchmarks.reading import Forms, PlainClips
    from datamodules.clips import Clips
    from datamodules.items import PairDataset

SEED = 0
PASSES = 6
"""Passes over the clips in the epoch whose memory is watched."""
LEAST = {"clips": 1, "clip_frames": 2, "pairs": 1, "repeats": 1, "epoch_clips": 2}
"""Numbers below which nothing can be measured."""


def measure(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Make the clips in every form and time the readers in turns, in one process.

    Returns:
        The `result` of a record.

    Raises:
        OSError: the clips cannot be read or written.
        ValueError: a folder without videos.
    """
    import torch

    from benchmarks.reading import make_forms, readers

    torch.set_num_threads(1)
    forms = make_forms(
        arguments.clips_from, place, arguments.clips, arguments.clip_frames, arguments.size
    )
    clips = readers(forms, arguments.size)
    return {
        "clips": len(forms.raw),
        "frames": arguments.clip_frames,
        "image_size": arguments.size,
        "material": arguments.name,
        "bytes": forms.bytes,
        "size_ratio": forms.bytes["mp4"] / forms.bytes["raw"],
        "psnr_to_raw": forms.psnr,
        "readers": time_readers(forms, clips, arguments.pairs, arguments.repeats),
        "workers": time_workers(clips, arguments.workers, arguments.pairs, arguments.repeats),
        "memory": watch_memory(forms, place, arguments.size, arguments.epoch_clips),
    }


def time_readers(
    forms: "Forms", clips: "dict[str, Clips]", pairs: int, repeats: int
) -> dict[str, dict[str, float]]:
    """Time each reader on the same pairs, in turns, with and without what it learnt before.

    Returns:
        Reader -> pairs a second, the gain over the plain reader, frames decoded for a pair.
    """
    from benchmarks.reading import PlainClips

    plain = PlainClips(forms.raw)
    few = max(3, pairs // 40)  # the plain reader is so slow that these are enough for its time
    loops = {"plain": _plain_loop(plain, clips["raw"], few)}
    for name, own in clips.items():
        loops[name] = _loop(own, pairs)
        if name != "frames":
            loops[f"{name}, first visit"] = _loop(own, pairs, forgetful=True)
    for name in clips:
        loops[name]()  # learns where the frames are
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(repeats):
        for name, loop in loops.items():
            start = time.perf_counter()
            count = loop()
            taken[name].append((time.perf_counter() - start) / count)
            if name.endswith("visit"):
                loops[name.split(",")[0]]()  # learns it again
    seconds = {name: statistics.median(values) for name, values in taken.items()}
    rows = {
        name: {"pairs_per_second": 1 / value, "ratio_to_plain": seconds["plain"] / value}
        for name, value in seconds.items()
    }
    rows["plain"]["decoded_frames_per_pair"] = plain.decoded / (few * repeats)
    for name, own in clips.items():
        before = own.decoded
        count = loops[name]()
        rows[name]["decoded_frames_per_pair"] = (own.decoded - before) / count
    return rows


def _plain_loop(plain: "PlainClips", clips: "Clips", pairs: int) -> Callable[[], int]:
    dataset = _pairs(clips, pairs)
    items = [dataset[(0, k)] for k in range(pairs)]
    number = {clips.name(i): i for i in range(len(clips))}
    chosen = [(number[item["name"]], item["frame_index"].tolist()) for item in items]

    def loop() -> int:
        for i, frames in chosen:
            plain.pair(i, frames)
        return pairs

    return loop


def _pairs(clips: "Clips", count: int) -> "PairDataset":
    from datamodules.items import PairDataset

    return PairDataset(clips, SEED, repeats=-(-count // len(clips)))


def _loop(clips: "Clips", pairs: int, *, forgetful: bool = False) -> Callable[[], int]:
    from benchmarks.reading import forget

    dataset = _pairs(clips, pairs)

    def loop() -> int:
        for k in range(pairs):
            if forgetful:
                forget(clips)
            dataset[(0, k)]
        return pairs

    return loop


def time_workers(
    clips: "dict[str, Clips]", workers: Sequence[int], pairs: int, repeats: int
) -> dict[str, dict[str, float]]:
    """Time loaders with different numbers of worker processes, in turns.

    Returns:
        Form -> number of workers -> pairs a second, the first batches left out.
    """
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for form in ("mp4", "shards"):
            for count in workers:
                rates.setdefault((form, count), []).append(_rate(clips[form], count, pairs))
    found: dict[str, dict[str, float]] = {}
    for (form, count), values in rates.items():
        found.setdefault(form, {})[str(count)] = statistics.median(values)
    return found


def _rate(clips: "Clips", workers: int, pairs: int) -> float:
    from torch.utils.data import DataLoader

    from datamodules.items import collate, start_worker
    from datamodules.samplers import EpochSampler

    size = 8
    warm = max(2, 2 * workers)  # what is fetched ahead is left out
    total = -(-4 * pairs // size) * size + warm * size
    loader = DataLoader(
        _pairs(clips, total),
        batch_size=size,
        sampler=EpochSampler(total, size, SEED),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=start_worker,
    )
    start, counted = 0.0, 0
    for number, batch in enumerate(loader):
        if number == warm - 1:
            start = time.perf_counter()
        elif number >= warm:
            counted += len(batch["source"])
    return counted / (time.perf_counter() - start)


def watch_memory(forms: "Forms", place: Path, size: int, clips: int) -> dict[str, Any]:
    """Follow the memory of one worker over an epoch of many clips.

    Returns:
        MB that only the worker holds, at tenths of the epoch.
    """
    from torch.utils.data import DataLoader

    from benchmarks.reading import WithMemory, link_many
    from datamodules.clips import VideoFolder
    from datamodules.items import PairDataset, collate
    from datamodules.samplers import EpochSampler

    links = link_many(forms.mp4, clips, place / "many")
    dataset = WithMemory(PairDataset(VideoFolder(links, range(clips), size), SEED, repeats=PASSES))
    sampler = EpochSampler(len(dataset), 10, SEED)
    loader = DataLoader(dataset, batch_size=10, sampler=sampler, num_workers=1, collate_fn=collate)
    seen = [float(batch["memory"].max()) for batch in loader]
    tenths = [seen[min(len(seen) - 1, k * len(seen) // 10)] for k in range(1, 11)]
    return {"clips": clips, "pairs": len(dataset), "megabytes": tenths}


def report(record: dict[str, Any]) -> str:
    """Write a record as Markdown."""
    result = record["result"]
    raw = result["bytes"]["raw"]
    sizes = ", ".join(f"{form} {size / raw:.2f}" for form, size in result["bytes"].items())
    lines = [
        f"### Loader: {result['clips']} {result['material']} clips of {result['frames']} frames, "
        f"{result['image_size']} pixels, {record['device']}",
        "",
        f"Bytes against the raw clips: {sizes}. Prepared mp4 against raw pixels: "
        f"{result['psnr_to_raw']:.1f} dB.",
        "",
        "| reader | against plain | frames decoded for a pair |",
        "|---|---:|---:|",
    ]
    for name, row in result["readers"].items():
        decoded = row.get("decoded_frames_per_pair")
        said = "" if decoded is None else f"{decoded:.1f}"
        lines.append(f"| {name} | {row['ratio_to_plain']:.1f} | {said} |")
    lines += ["", "| workers | mp4 | shards |", "|---|---:|---:|"]
    base = {form: next(iter(rates.values())) for form, rates in result["workers"].items()}
    for count in result["workers"]["mp4"]:
        both = [result["workers"][form][count] / base[form] for form in ("mp4", "shards")]
        lines.append(f"| {count} | {both[0]:.2f} | {both[1]:.2f} |")
    memory = result["memory"]
    tenths = " ".join(f"{value:.0f}" for value in memory["megabytes"])
    lines += [
        "",
        f"Memory of one worker over an epoch of {memory['pairs']} pairs of {memory['clips']} "
        f"clips, at each tenth, in MB: {tenths}.",
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks loader",
        description="Time training pairs from raw and prepared clips, beside a reader that decodes "
        "the whole clip for each pair.",
        allow_abbrev=False,
    )
    described.add_argument(
        "--clips-from", type=Path, metavar="DIR", help="folder of videos (default: toy figures)"
    )
    described.add_argument("--name", default="toy", help="what these clips are called")
    described.add_argument("--clips", type=int, default=8, help="how many (default: 8)")
    described.add_argument("--clip-frames", type=int, default=300, help="frames (default: 300)")
    described.add_argument("--size", type=int, default=256, help="side in pixels (default: 256)")
    described.add_argument("--pairs", type=int, default=200, help="of each timing (default: 200)")
    described.add_argument("--repeats", type=int, default=5, help="turns; the median counts")
    described.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2], help="loaders to time"
    )
    described.add_argument(
        "--epoch-clips", type=int, default=1000, help="clips of the epoch whose memory is watched"
    )
    options.add_record(described)
    return described


def refuse_options(arguments: argparse.Namespace) -> None:
    """Raise ValueError for numbers that nothing can be measured with."""
    from datamodules.prepare.jobs import Settings

    for name, lowest in LEAST.items():
        if getattr(arguments, name) < lowest:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {lowest}")
    if min(arguments.workers) < 0:
        raise ValueError("--workers must be at least 0")
    if arguments.clips_from is not None and arguments.name == "toy":
        raise ValueError("--clips-from wants a --name for its clips")
    Settings(size=arguments.size)  # as the clips are prepared


def main(argv: Sequence[str]) -> int:
    """Measure, write and print the record; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        refuse_options(arguments)
        import torch

        from benchmarks import records

        with tempfile.TemporaryDirectory(prefix="loader-") as place:
            result = measure(arguments, Path(place))
        record = {
            "format": records.FORMAT,
            "kind": "loader",
            "settings": {name: getattr(arguments, name) for name in (*LEAST, "size")},
            "result": result,
            **records.provenance(torch.device("cpu")),
        }
        folder = arguments.output or records.RESULTS
        path = records.write_record(record, folder, "loader", result["material"])
        print(report(record))
        print(f"\nrecord: {path}")

    return options.run(parser(), work, argv)
