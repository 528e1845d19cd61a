"""`python -m benchmarks ablation MODEL`: train and score a paper's ablation, row by row.

The rows are those of `zoo_configs/ablation/MODEL.yaml`: named overrides of one common training, put
together as `make train` does. All rows are judged first, then trained one after the other into
runs/ablation-MODEL-DATA; what is done is not done again, what was interrupted goes on. At the end
all are scored on the same clips and frames.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from benchmarks.ablation_rows import Plan, Row

PASSED = ("--model.", "--trainer.", "--init_from=")
"""What options begin with that every row's training is given; those of the data too."""
NOTE = "row.json"
DONE, BEGUN, NEW = "trained", "begun", "to be trained"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks ablation",
        description=__doc__,
        epilog="--model.KEY=VALUE, --data.KEY=VALUE, --trainer.KEY=VALUE, --init_from=CHECKPOINT "
        "go to the training of every row alike.",
        allow_abbrev=False,
    )
    described.add_argument("model", help="a file of zoo_configs/ablation by its name")
    options.add_data(described)
    described.add_argument("--preset", default="paper", help="as PRESET of make (default: paper)")
    described.add_argument("--trainer", default="auto", help="as TRAINER of make (default: auto)")
    described.add_argument("--logger", default="csv", help="as LOGGER of make (default: csv)")
    described.add_argument("--seed", type=int, default=0, help="of every row (default: 0)")
    described.add_argument("--devices", default="auto", help="as DEVICES of make (default: auto)")
    described.add_argument(
        "--rows", nargs="+", metavar="ROW", help="these only, by the names that --list shows"
    )
    described.add_argument("--list", action="store_true", help="name the rows, and do nothing")
    described.add_argument("--no-lpips", action="store_true", help="leave LPIPS out of the scores")
    described.add_argument(
        "--name", help="what the ablation is called, in its folder and its record (default: "
        "ablation-MODEL): another one keeps what was trained otherwise",
    )  # fmt: skip
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """List, train and score; returns 0, or 2 after one line on stderr."""
    passed = [word for word in argv if word.startswith(PASSED)]
    rest = [word for word in argv if not word.startswith(PASSED)]
    try:
        return options.run(parser(), partial(work, passed=passed), rest)
    except SystemExit as stop:  # the study has said what was wrong
        return int(stop.code or 0)


def work(arguments: argparse.Namespace, passed: Sequence[str]) -> None:
    """List, train and score as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other, or a training failed.
        SystemExit: the scoring failed, after it said why.
    """
    from benchmarks.ablation_rows import plan
    from benchmarks.records import slug

    # or two names could share a record
    if arguments.name is not None and arguments.name != slug(arguments.name):
        raise ValueError(f"--name {arguments.name!r} must be of small letters, digits and dashes")
    rows, words = common(arguments, passed)
    plans = plan(choose(rows, arguments.rows), words)
    name = arguments.name or f"ablation-{arguments.model}"
    folder = Path("runs") / f"{name}-{Path(arguments.data).stem}"
    states = [state(one, folder / one.row.slug) for one in plans]
    for one, found in zip(plans, states, strict=True):
        changes = ", ".join(f"{key}={value}" for key, value in one.row.changes.items()) or "nothing"
        print(f"{one.row.slug:32} {found:14} changes {changes} ({one.row.paper})")
    if arguments.list:
        return
    failed = [one.row.name for one in plans if not train(one, folder / one.row.slug)]
    if failed:
        raise ValueError(
            f"the training of {', '.join(map(repr, failed))} failed, as said above; the same "
            "command goes on where it stopped"
        )
    path = score(arguments, plans, folder, name)
    print(f"table: {folder / 'table.md'}, {folder / 'table.csv'}\nrecord: {path}")


def common(arguments: argparse.Namespace, passed: Sequence[str]) -> tuple[list["Row"], list[str]]:
    """Read the rows, and put together what all of them are trained with.

    Returns:
        The rows and the options of `fit`.

    Raises:
        FileNotFoundError: there is no such configuration.
        ValueError: an option without a value.
    """
    from benchmarks.ablation_rows import configs, read_rows
    from benchmarks.data import data_file

    given = [*passed, *arguments.overrides]
    if bare := [word for word in given if "=" not in word]:
        raise ValueError(f"option {bare[0]} has no value: write {bare[0]}=VALUE")
    file = data_file(arguments.data)
    rows = read_rows(arguments.model, arguments.preset)
    words = configs(
        arguments.model,
        file,
        preset=arguments.preset,
        trainer=arguments.trainer,
        logger=arguments.logger,
    )
    words += [f"--seed_everything={arguments.seed}", f"--trainer.devices={arguments.devices}"]
    words += [] if arguments.root is None else [f"--data.init_args.root={arguments.root}"]
    return rows, [*words, *given]


def choose(rows: Sequence["Row"], wanted: Sequence[str] | None) -> list["Row"]:
    """Keep the rows that are wanted, by name or folder.

    Raises:
        ValueError: there is no such row.
    """
    from benchmarks.records import slug

    if wanted is None:
        return list(rows)
    known = [row.slug for row in rows]
    if unknown := [one for one in wanted if slug(one) not in known]:
        raise ValueError(f"there is no row {unknown[0]!r}; there are: {', '.join(known)}")
    chosen = {slug(one) for one in wanted}
    return [row for row in rows if row.slug in chosen]


def state(plan: "Plan", folder: Path) -> str:
    """Say how far a row's training is.

    Raises:
        ValueError: the folder holds a training of other settings, or lacks what it made.
    """
    from benchmarks.ablation_rows import differences

    note = folder / NOTE
    if not note.is_file():
        if (folder / "checkpoints").is_dir():
            raise ValueError(f"{folder} holds a run that is no ablation's: move it away")
        return NEW
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        settings, finished = content["settings"], bool(content["finished"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{note} is damaged ({error!r}): move {folder} away") from error
    if other := differences(settings, plan.settings):
        raise ValueError(
            f"{folder} was trained with other settings, {', '.join(other[:3])} among them: take "
            "those, or --name for an ablation of its own"
        )
    if finished and not (folder / "checkpoints" / "best.ckpt").is_file():
        raise ValueError(f"{folder} has lost its best.ckpt: move it away to train the row again")
    return DONE if finished else BEGUN


def train(plan: "Plan", folder: Path) -> bool:
    """Train a row, or what is left of it.

    Returns:
        Whether it is trained; what went wrong was said on stderr.

    Raises:
        ValueError: interrupted.
    """
    if state(plan, folder) == DONE:
        return True
    print(f"\n{plan.row.name}: training into {folder}", flush=True)
    take_note(plan, folder, finished=False)
    resume = (folder / "checkpoints" / "last.ckpt").is_file()
    command = [sys.executable, "-m", "animators", "fit", *plan.words, f"--run_dir={folder}"]
    try:
        done = subprocess.run([*command, *(["--resume=true"] if resume else [])], check=False)
    except KeyboardInterrupt:
        raise ValueError("interrupted; the same command goes on where it stopped") from None
    if done.returncode == 0:
        take_note(plan, folder, finished=True)
    return done.returncode == 0


def take_note(plan: "Plan", folder: Path, *, finished: bool) -> None:
    """Write down what a folder is trained with, so that no other settings go on in it."""
    from datamodules.files import write_whole

    content = {"row": plan.row.name, "finished": finished, "settings": plan.settings}
    write_whole(folder / NOTE, json.dumps(content, indent=2) + "\n")


def score(arguments: argparse.Namespace, plans: Sequence["Plan"], folder: Path, name: str) -> Path:
    """Score all rows on the same frames, by `study references`; write table and record.

    Returns:
        The record's file.

    Raises:
        SystemExit: the study failed, and has said why.
    """
    from benchmarks import few_shot, records, study
    from datamodules.files import write_whole

    scores = folder / "scores"
    for old in scores.glob("references_*.json"):
        old.unlink()
    rows = [
        f"{one.row.name}={folder / one.row.slug / 'checkpoints' / 'best.ckpt'}@{one.views}"
        for one in plans
    ]
    words = ["references", "--name", records.slug(name), "--data", arguments.data]
    words += ["--frames", "full" if arguments.frames is None else str(arguments.frames)]
    words += ["--device", arguments.device, "--output", str(scores), *arguments.overrides]
    words += [] if arguments.root is None else ["--root", arguments.root]
    words += ["--no-lpips"] if arguments.no_lpips else []
    if status := study.main([*words, "--rows", *rows]):
        raise SystemExit(status)
    (path,) = scores.glob("references_*.json")
    record = records.read_few_shot_record(path)
    record["ablation"] = {
        one.row.name: {"paper": one.row.paper, "changes": one.row.changes} for one in plans
    }
    text = f"{few_shot.markdown(record)}\n\n{changes_table(record)}\n"
    write_whole(folder / "table.md", text)
    write_whole(folder / "table.csv", as_csv(record))
    output = arguments.output or records.RESULTS
    return records.write_record(record, output, "references", record["name"], record["data"])


def changes_table(record: dict[str, Any]) -> str:
    """Write what each row changes as a Markdown table."""
    lines = ["| row | changes | paper |", "|---|---|---|"]
    for name, about in record["ablation"].items():
        changes = ", ".join(f"`{key}: {json.dumps(x)}`" for key, x in about["changes"].items())
        lines.append(f"| {name} | {changes or 'nothing'} | {about['paper']} |")
    return "\n".join(lines)


def as_csv(record: dict[str, Any]) -> str:
    """Write the rows' numbers as CSV, one number a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "references", "metric", "value", "pairs_seen", "changes"])
    for row in record["rows"]:
        trained = (row["checkpoint"] or {}).get("trained") or {}
        changes = record["ablation"].get(row["name"], {}).get("changes", {})
        about = [trained.get("pairs_seen", ""), json.dumps(changes) if changes else ""]
        for metric, value in row["metrics"].items():
            number = "" if value is None else repr(value)
            writer.writerow([row["row"], row["references"], metric, number, *about])
    return text.getvalue()
