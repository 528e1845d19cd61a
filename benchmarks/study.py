"""`python -m benchmarks study NAME`: a study, imported when it is asked for."""

from collections.abc import Sequence

from datamodules.options import Command, enter

__all__ = ["STUDIES", "main"]

STUDIES = {
    "solver": Command(
        "benchmarks.studies.solver", "time, memory and errors of the motion evolution's solvers"
    ),
    "field": Command(
        "benchmarks.studies.field", "draw a motion field as it evolves; how smooth fields are"
    ),
    "references": Command(
        "benchmarks.studies.references", "few-shot rows on the same clips and scored frames"
    ),
    "flow_cost": Command(
        "benchmarks.studies.flow_cost", "what Swin/TPS's additions cost, by image size"
    ),
    "identity_probe": Command(
        "benchmarks.studies.identity_probe", "read identity and motion off an animator's codes"
    ),
    "sparsity": Command(
        "benchmarks.studies.sparsity", "how many motion directions frames take, side by side"
    ),
    "directions": Command(
        "benchmarks.studies.directions", "head pose and identity along motion directions"
    ),
    "leakage": Command(
        "benchmarks.studies.leakage", "what of the driving person shows in the result"
    ),
    "page": Command("benchmarks.studies.page", "write the tables of studies into STUDIES.md"),
}


def main(argv: Sequence[str]) -> int:
    """Run one study.

    Args:
        argv: the study's name and its options.

    Returns:
        0 on success, 2 when the user has to change something (one line on stderr says what).
    """
    return enter("benchmarks study", STUDIES, argv)
