"""Tables as one CSV with a line for each number."""

import csv
import io
from collections.abc import Iterator, Sequence

from benchmarks.report.cost import TRAINING, Cost
from benchmarks.report.rows import Row
from benchmarks.report.tables import Table

HEADER = (
    *("table", "protocol", "row", "references", "seeds", "metric", "value", "low", "high"),
    *("spread", "standing", "reported", "pairs_seen", "device"),
)


def as_csv(tables: Sequence[Table], costs: Sequence[Cost] = ()) -> str:
    """Write every number in full.

    Args:
        tables: judged.
        costs: follow as a table of their own.

    Returns:
        Lines with `HEADER`. `low` and `high` are the interval of the mean over clips, `spread` the
        standard deviation over seeds; a cell is empty where there is nothing.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        writer.writerows(_line(table, row, name) for row in table.rows for name in table.metrics)
    writer.writerows(line for cost in costs for line in _cost_lines(cost))
    return text.getvalue()


def _line(table: Table, row: Row, name: str) -> dict[str, object]:
    value = row.values.get(name)
    low, high = row.intervals.get(name, ("", ""))
    return {
        "table": table.title.partition(":")[0],  # the protocol says the rest
        "protocol": table.protocol,
        "row": row.name,
        "references": "" if row.given is None else row.given,
        "seeds": row.seeds,
        "metric": name,
        "value": "" if value is None else repr(value),
        "low": low,
        "high": high,
        "spread": row.spread.get(name, ""),
        "standing": str(row.standings.get(name, "")),
        "reported": row.reported.get(name, ""),
        "pairs_seen": row.budget.replace(",", ""),
        "device": row.device,
    }


def _cost_lines(cost: Cost) -> Iterator[dict[str, object]]:
    row: dict[str, object] = {"table": f"cost: {cost.pixels} pixels", "row": cost.name}
    for name, value in cost.figures.items():
        yield row | {"metric": name, "value": repr(value), "device": cost.device}
    for (data, seen), seconds in cost.training.items():
        table = f"cost: training on {data}, {cost.pixels} pixels"
        known = {"metric": TRAINING, "value": repr(seconds), "pairs_seen": seen.replace(",", "")}
        yield row | known | {"table": table}
