"""`python -m benchmarks compare`: what is missing of a table is measured, the rest is kept.

One line of words gives all animators on the same clips under the protocols asked for: each row's
record, their tables (Markdown, CSV, LaTeX), their cost, and one page with films to look at. Broken
off, the same words go on where it stopped.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import options, protocols
from benchmarks.kept import Filed, Kept
from benchmarks.run import measure
from benchmarks.run import parser as run_parser
from datamodules.options import INTERRUPTED


@dataclass(frozen=True)
class Task:
    """One row to measure: a checkpoint, and the words of `benchmarks run` that measure it."""

    name: str
    seed: int
    checkpoint: Path
    words: tuple[str, ...]


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks compare", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--models", nargs="+", required=True, metavar="MODEL")
    options.add_data(described)
    protocols.add_protocol(described, one=False)
    described.add_argument(
        "--edit", nargs="+", metavar="DIRECTION=AMOUNT", default=[], help="cross-*: rows with an "
        "edited source beside the plain ones, for animators with motion directions",
    )  # fmt: skip
    described.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of MODEL-DATA[-seedN]/checkpoints"
    )
    described.add_argument(
        "--seeds", type=options.references_option, nargs="+", default=[0], metavar="N",
        help="of training; those that were trained are taken (default: 0)",
    )  # fmt: skip
    described.add_argument(
        "--trained-on", metavar="NAME", help="take the checkpoints of another set: zero-shot"
    )
    described.add_argument("--no-speed", action="store_true", help="leave costs unmeasured")
    described.add_argument(
        "--clips",
        type=options.references_option,
        default=8,
        help="films on the page (default: 8); 0 makes no page",
    )
    described.add_argument(
        "--folder", type=Path, help="of tables, page (default: runs/benchmark/DATA)"
    )
    options.add_record(described)
    options.add_device(described)
    return described


def checkpoints(arguments: argparse.Namespace) -> list[tuple[str, int, Path]]:
    """Find the checkpoints of all models: (model, seed, file).

    Raises:
        FileNotFoundError: a model has none; the message names all such and what trains them. A
            further seed that was not trained is passed over.
    """
    data = arguments.trained_on or Path(arguments.data).stem
    found, missing = [], []
    for model in dict.fromkeys(arguments.models):
        seeds = dict.fromkeys(arguments.seeds)
        of = [(s, protocols.checkpoint_of(arguments.runs, model, data, s)) for s in seeds]
        there = [(model, seed, path) for seed, path in of if path.is_file()]
        found += there
        if not there:
            missing.append(model)
    if missing:
        where = protocols.checkpoint_of(arguments.runs, missing[0], data, arguments.seeds[0])
        raise FileNotFoundError(
            f"no checkpoint of {', '.join(missing)} for {data} (such as {where}): train with "
            f"`make train MODEL={missing[0]} DATA={data}`, or leave them out of --models"
        )
    return found


def tasks(arguments: argparse.Namespace) -> list[Task]:
    """List the rows of all protocols, in the order in which they are measured.

    Raises:
        FileNotFoundError: a model was not trained, or there is no such set.
        ValueError: a checkpoint cannot be opened, or options do not fit each other.
    """
    from benchmarks.data import data_file

    data_file(arguments.data)  # or the set's missing checkpoints would be named instead
    crossing = any(protocol in protocols.CROSS for protocol in arguments.protocols)
    if not crossing and (arguments.pairs or arguments.sources or arguments.edit):
        raise ValueError("--pairs, --sources and --edit are for cross-* protocols: name one")
    if not crossing and arguments.mode != "relative":
        raise ValueError("--mode is for cross-* protocols: name one")
    if arguments.edit and arguments.mode != "relative":
        raise ValueError(f"{arguments.mode} motion replaces the edited pose: leave --mode out")
    if arguments.references is not None and "recon-few" not in arguments.protocols:
        raise ValueError("--references is for recon-few: name it among --protocols")
    listed: list[Task] = []
    kinds = {path: kind_of(path) for _, _, path in checkpoints(arguments)}
    if arguments.edit and not any(hasattr(kind, "edit") for kind in kinds.values()):
        raise ValueError("--edit: none of --models has motion directions, such as lia, lia_x")
    if arguments.edit:  # before the first row is measured
        from benchmarks.cross import check_edit

        check_edit(arguments.edit, [path for path, kind in kinds.items() if hasattr(kind, "edit")])
    for protocol in dict.fromkeys(arguments.protocols):
        for model, seed, path in checkpoints(arguments):
            listed += [
                Task(model, seed, path, ("--protocol", protocol, *words))
                for words in _variants(arguments, protocol, kinds[path])
            ]
    return listed


def kind_of(path: Path) -> Any:
    """Give the class of a checkpoint's animator.

    Raises:
        ValueError: the file is damaged or foreign.
    """
    from animators.weights import animator_class, read_checkpoint

    description = read_checkpoint(path).get("animator")
    if not isinstance(description, dict):
        raise ValueError(f"{path} is no checkpoint of this project: train or import one")
    return animator_class(description.get("class_path"), path)


def _variants(arguments: argparse.Namespace, protocol: str, kind: Any) -> list[tuple[str, ...]]:
    """Words for each row of a model under a protocol."""
    few = protocol == "recon-few"
    given = () if arguments.references is None else ("--references", str(arguments.references))
    if few and not kind.several_views:
        return [(*given, "--plain"), (*given, "--best-of-views")]
    rows: list[tuple[str, ...]] = [given if few else ()]
    if protocol in protocols.CROSS:
        more: tuple[str, ...] = ("--mode", arguments.mode)
        for option in ("pairs", "sources"):
            value = getattr(arguments, option)
            more += () if value is None else (f"--{option}", str(value))
        rows = [more]
        if arguments.edit and hasattr(kind, "edit"):
            rows.append((*more, "--edit", *arguments.edit))
    return rows


def words_of(arguments: argparse.Namespace, task: Task) -> list[str]:
    """Give the words of `benchmarks run` that measure a row."""
    words = ["--checkpoint", str(task.checkpoint), "--data", arguments.data, *task.words]
    words += ["--frames", "full" if arguments.frames is None else str(arguments.frames)]
    words += ["--device", arguments.device, "--name", task.name]
    for option in ("root", "trained_on"):
        value = getattr(arguments, option)
        words += [] if value is None else [f"--{option.replace('_', '-')}", value]
    words += [] if arguments.metrics is None else ["--metrics", *arguments.metrics]
    return words + (["--no-lpips"] if arguments.no_lpips else [])


def run(arguments: argparse.Namespace) -> list[Filed]:
    """Measure what is missing; each record is written as soon as it is there.

    Returns:
        The records of all rows, those of earlier times among them, and their files.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other.
    """
    from benchmarks import records
    from benchmarks.copies import Copies
    from benchmarks.groups import Networks

    folder = arguments.output or records.RESULTS
    networks, copies, kept, found = Networks(), Copies(), Kept(), []
    listed = tasks(arguments)
    for number, task in enumerate(listed, start=1):
        one = run_parser().parse_args(words_of(arguments, task))
        one.overrides = arguments.overrides
        filed = kept.find(one, task.seed, records.quality_files(folder))
        said = f"[{number}/{len(listed)}] {task.name} seed {task.seed}: {' '.join(task.words)}"
        if filed is None:
            print(said, flush=True)
            record = measure(one, networks, copies) | {"seed_trained": task.seed}
            names = [record["model"], record["data"], record["protocol"]["label"]]
            names += [f"seed{task.seed}"] if task.seed else []
            names += [f"from-{arguments.trained_on}"] if arguments.trained_on else []
            path = records.write_record(record, folder, *names)
            filed = path, records.read_record(path)  # the very numbers that a later run finds
        else:
            print(f"{said}: kept", flush=True)
        found.append(filed)
    return found


def time_missing(arguments: argparse.Namespace) -> None:
    """Time one checkpoint of each network that has no speed record on this device."""
    from animators.weights import choose_device, read_checkpoint
    from benchmarks import costs, records, speed

    folder = arguments.output or records.RESULTS
    device = records.device_name(choose_device(arguments.device))
    known = {
        (costs.network(one["checkpoint"]), one["device"])
        for one in records.read_speed_records(folder)
        if "flops_per_frame" in one["result"]
    }
    for model, _, path in checkpoints(arguments):
        wanted = (costs.network(read_checkpoint(path)["animator"]), device)
        if wanted not in known:
            words = ["--checkpoint", str(path), "--name", model, "--device", arguments.device]
            status = speed.main([*words, "--output", str(folder)])
            _expect(status, f"{model} could not be timed: leave it out with --no-speed")
            known.add(wanted)


def show(arguments: argparse.Namespace, filed: Sequence[Filed], folder: Path) -> None:
    """Film the animators in step, and put all into one page.

    Raises:
        ValueError: films or page could not be made; the line before says why.
    """
    from benchmarks.page import command, films

    first: dict[str, Path] = {}  # one seed of each, the first asked for that was trained
    for name, _, path in checkpoints(arguments):
        first.setdefault(name, path)
    columns = [f"{name}={path}" for name, path in first.items()]
    shared = ["--data", arguments.data, "--device", arguments.device, *arguments.overrides]
    shared += [] if arguments.root is None else ["--root", arguments.root]
    kinds = [protocol in protocols.CROSS for protocol in arguments.protocols]
    places = []
    for crossing in sorted(set(kinds)):
        place = folder / ("films-cross" if crossing else "films")
        count = max(1, arguments.clips // len(set(kinds)))
        words = ["--checkpoint", *columns, "--clips", str(count), "--output", str(place), *shared]
        if crossing:  # a small set may have fewer pairs than films were asked for
            pairs = [
                r["clips"]["count"] for _, r in filed if r["protocol"]["label"] in protocols.CROSS
            ]
            words[words.index("--clips") + 1] = str(min(count, *pairs))
            words += ["--cross", "--mode", arguments.mode]
            if arguments.sources is not None:
                words.append(f"--data.init_args.sources={arguments.sources}")
        _expect(films.main(words), "no films: leave them out with --clips 0")
        places.append(str(place))
    files = [str(path) for path, _ in filed]
    words = ["--records", *files, "--films", *places, "--output", str(folder / "page.html")]
    _expect(command.main(words), "no page: leave it out with --clips 0")


def _expect(status: int, otherwise: str) -> None:
    """Go on where a command did its work.

    Raises:
        ValueError: it did not, and has said why.
        KeyboardInterrupt: the user broke it off.
    """
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status != 0:
        raise ValueError(otherwise)


def main(argv: Sequence[str]) -> int:
    """Measure, write the tables and the page; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks import costs, records
        from benchmarks.report.files import write_tables

        filed = run(arguments)
        if not arguments.no_speed:
            time_missing(arguments)
        speeds = records.read_speed_records(arguments.output or records.RESULTS)
        found = costs.with_costs([record for _, record in filed], speeds)
        folder = arguments.folder or Path("runs/benchmark") / Path(arguments.data).stem
        files = write_tables(found, folder)
        print((folder / "tables.md").read_text(encoding="utf-8"))
        for file in files:
            print(file)
        if arguments.clips:
            show(arguments, filed, folder)

    return options.run(parser(), work, argv)
