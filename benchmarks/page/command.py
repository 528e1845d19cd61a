"""`python -m benchmarks page`: everything about one set in one file that fetches nothing.

Sortable tables, a section for each protocol; bars with intervals; L1 by quartile of motion; costs;
films of all animators in step with their motion fields and differences; how it was all measured.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from benchmarks.page.index import Index

    Record = dict[str, Any]
    Folder = tuple[Path, Index]


def read(arguments: argparse.Namespace) -> tuple[list["Record"], list["Record"]]:
    """Read the records of one set, and its records of `study references`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is damaged, or none is of this set.
    """
    from benchmarks import costs, records

    studies: list[Record] = []
    if arguments.records:
        found = [records.read_record(path) for path in arguments.records]
    else:
        folder = arguments.results or records.RESULTS
        found = records.read_records(folder)
        studies = records.read_few_shot_records(folder)
    home = arguments.records[0].parent if arguments.records else arguments.results
    speeds = records.read_speed_records(home or records.RESULTS)
    found = costs.with_costs(found, speeds)
    known = sorted({record["data"] for record in found})
    if arguments.set is None:
        return found, studies
    found, studies = ([r for r in rows if r["data"] == arguments.set] for rows in (found, studies))
    if not found:
        raise ValueError(
            f"no record is of the set {arguments.set!r}; there are records of: {', '.join(known)}"
        )
    return found, studies


def read_films(folders: Sequence[Path]) -> list["Folder"]:
    """Read folders of films that together fit into a page.

    Raises:
        FileNotFoundError: one has no index, or lacks a file.
        ValueError: one is damaged, or they have too many films or bytes.
    """
    from benchmarks.page.index import MOST_BYTES, MOST_FILMS, REMEDY, files, read_index

    found = [(folder, read_index(folder)) for folder in folders]
    count = sum(len(index.films) for _, index in found)
    if count > MOST_FILMS:
        raise ValueError(f"{count} films, a page takes {MOST_FILMS} at most: {REMEDY}")
    # as base64, three bytes are four letters
    size = sum((f / n).stat().st_size for f, index in found for n in files(index)) * 4 // 3
    if size > MOST_BYTES:
        raise ValueError(
            f"films and pictures are {size / 1e6:.1f} MB in a page, which holds "
            f"{MOST_BYTES / 1e6:.0f} MB at most: {REMEDY}"
        )
    return found


def build(
    found: Sequence["Record"],
    studies: Sequence["Record"],
    films: Sequence["Folder"],
    command: str,
) -> str:
    """Write the page.

    Args:
        found: records of quality measurements, at least one.
        studies: records of `study references`.
        films: folders and their indices.
        command: that makes the page.

    Raises:
        ValueError: records do not fit each other.
    """
    from benchmarks.page import numbers, parts
    from benchmarks.page.html import document, node
    from benchmarks.page.style import SCRIPT, STYLE

    sections: list[tuple[str, list[Element]]] = []
    for number, section in enumerate(numbers.sections(found, studies)):
        shown = [parts.table(section.grid)]
        if section.charts:
            shown.append(parts.bars(section.charts, f"bars-{number}"))
        if section.motion is not None:
            shown += [node("h3", "By size of motion"), parts.table(section.motion)]
        sections.append((section.grid.title, shown))
    costs = numbers.cost_grid(found, studies)
    if costs is not None:
        sections.append((costs.title, [parts.table(costs)]))
    if films:
        sections.append(("Films", _films(films)))
    sections.append(_provenance(found, films, command))
    sets = ", ".join(sorted({str(record["data"]) for record in found}))
    title = f"Animators on {sets}"
    return document(title, STYLE, SCRIPT, *_body(title, sections))


def _body(title: str, sections: Sequence[tuple[str, list["Element"]]]) -> list["Element"]:
    from benchmarks.page.html import node, prose

    links, bodies = [], []
    for number, (head, shown) in enumerate(sections):
        # of `set, label: clips, frames, protocol` the heading is what stands before the colon
        short, _, rest = head.partition(": ")
        links.append(node("a", short, href=f"#part-{number}"))
        about = node("p", *prose(rest), class_="note") if rest else None
        bodies.append(node("section", node("h2", short), about, *shown, id=f"part-{number}"))
    header = node("header", node("h1", title), node("nav", *links, aria_label="Parts"))
    return [header, node("main", *bodies)]


def _films(folders: Sequence["Folder"]) -> list["Element"]:
    from benchmarks.page import parts
    from benchmarks.page.html import node

    shown = [parts.controls(), parts.legend(folders[0][1], folders[0][0])]
    for folder, index in folders:
        told = "Rebuilt from the clip's own first frame"
        if index.mode is not None:
            told = f"One identity moved by another, {index.mode} mode"
        shown.append(node("p", f"{told}: {index.data}."))
        shown += [parts.film(index, film, folder) for film in index.films]
    return shown


def _provenance(
    found: Sequence["Record"], films: Sequence["Folder"], command: str
) -> tuple[str, list["Element"]]:
    from benchmarks.page import numbers, parts
    from benchmarks.page.html import node

    grid = numbers.provenance_grid(found)
    shown = [parts.table(grid)]
    for _, index in films:
        models = ", ".join(
            f"{name} {str(known.get('sha256'))[:12]}" for name, known in index.models.items()
        )
        made = index.provenance
        told = f"Films of {models}: {made['date']}, {made['device']}, {(made['git'] or '')[:12]}."
        shown.append(node("p", told, class_="note"))
    lines = [*numbers.commands(found), *(index.command for _, index in films), command]
    return grid.title, [*shown, node("pre", "\n".join(lines), tabindex=0)]


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks page", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--records", nargs="+", type=Path, help="records, instead of --results")
    described.add_argument("--results", type=Path, help="folder (default: benchmarks/results)")
    described.add_argument(
        "--data", dest="set", metavar="NAME", help="only what was measured on this set"
    )
    described.add_argument(
        "--films", nargs="+", type=Path, default=[], help="folders of `python -m benchmarks films`"
    )
    described.add_argument("--output", required=True, type=Path, help="the page, .html")
    return described


def main(argv: Sequence[str]) -> int:
    """Write the page; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks.page.index import MOST_BYTES, REMEDY
        from datamodules.files import write_whole

        if arguments.output.suffix != ".html":
            raise ValueError(f"output {arguments.output} must end in .html")
        if arguments.records and arguments.results:
            raise ValueError("--records and --results exclude each other: give one")
        found, studies = read(arguments)
        films = read_films(arguments.films)
        command = shlex.join(["python", "-m", "benchmarks", "page", *argv])
        page = build(found, studies, films, command)
        if (size := len(page.encode())) > MOST_BYTES:
            raise ValueError(
                f"the page would have {size / 1e6:.1f} MB, {MOST_BYTES / 1e6:.0f} MB are the "
                f"most: {REMEDY}"
            )
        write_whole(arguments.output, page)
        print(arguments.output)

    return options.run(parser(), work, argv)
