"""The commands of the benchmarks: `python -m benchmarks run|table|gallery|speed`."""

import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "run": "score checkpoints on a data set, one JSON record each",
    "table": "join records and reported numbers into tables",
    "gallery": "side-by-side clips of several checkpoints",
    "speed": "time animate against the naive loop",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; each is imported when it is asked for."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    rows = "\n".join(f"  {name:<8} {what}" for name, what in COMMANDS.items())
    usage = f"usage: python -m benchmarks COMMAND [options]\n\n{rows}\n\nCOMMAND --help says more."
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"error: no command {name!r}; there are: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return int(import_module(f"benchmarks.{name}").main(rest))


if __name__ == "__main__":
    sys.exit(main())
