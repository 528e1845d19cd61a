"""The run's `metrics.csv`, which survives a resume."""

import csv
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only


class RunCsv(CSVLogger):
    """Lightning's CSV logger, writing `metrics.csv` straight into the run's folder.

    Lightning's own deletes the file when a run is taken up again; this one keeps the rows
    up to the checkpoint's step, so that the file of a resumed run reads as that of an
    unbroken one.

    Args:
        save_dir: the run's folder; the train command fills it in.
        flush_logs_every_n_steps: rows held before they are written.
    """

    def __init__(self, save_dir: str = "", flush_logs_every_n_steps: int = 50) -> None:
        super().__init__(save_dir, "", "", flush_logs_every_n_steps=flush_logs_every_n_steps)

    @rank_zero_only
    def keep_until(self, step: int) -> None:
        """Start from the rows that an interrupted run had written up to batch `step`."""
        file = Path(self.log_dir) / "metrics.csv"
        aside = file.with_name("metrics.csv.before")
        if file.is_file():
            file.replace(aside)
        rows: list[dict[str, str]] = []
        if aside.is_file():
            with aside.open(newline="") as handle:
                rows = [r for r in csv.DictReader(handle) if int(r["step"]) <= step]
        for row in rows:
            values = {k: float(v) for k, v in row.items() if k != "step" and v}
            self.experiment.log_metrics(values, int(row["step"]))
        self.save()
        aside.unlink(missing_ok=True)
