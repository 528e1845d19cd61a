"""Sets whose clips are cut out of online videos: from the owners' list to a list of jobs.

The owners publish a CSV: of which video, which frames, which box. The user fetches the videos
(nothing here downloads); each row becomes a job, or is said to be missing or refused.
"""

from datamodules.prepare.published.plan import Missing, Plan, Refused, plan
from datamodules.prepare.published.report import report, split_digest, write_ids
from datamodules.prepare.published.rows import Row, read_metadata
from datamodules.prepare.published.sets import PUBLISHED, Published

__all__ = [
    "PUBLISHED",
    "Missing",
    "Plan",
    "Published",
    "Refused",
    "Row",
    "plan",
    "read_metadata",
    "report",
    "split_digest",
    "write_ids",
]
