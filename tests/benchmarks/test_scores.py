"""What was asked for, and the command that asks for it again."""

import json
import shlex

import pytest

from benchmarks.run import parser
from benchmarks.scores import asked, command


def read(words):
    arguments, rest = parser().parse_known_args(words)
    arguments.overrides = rest
    return arguments


WORDS = [
    [],
    ["--frames", "full", "--protocol", "recon-fomm", "--no-lpips"],
    ["--protocol", "recon-few", "--references", "2", "--best-of-views", "--name", "my net"],
    ["--protocol", "recon-few", "--plain", "--metrics", "faces", "bodies"],
    ["--references", "0", "--trained-on", "faces", "--metrics", "pixels"],
    ["--protocol", "cross-dime", "--pairs", "3", "--sources", "test/animals", "--mode", "absolute"],
    ["--protocol", "cross-liax", "--edit", "d1=-0.5", "2=1", "--data.init_args.seed=3"],
]


@pytest.mark.parametrize("words", WORDS)
def test_the_command_of_a_record_asks_for_the_same(words):
    first = read(["--checkpoint", "runs/a/best.ckpt", "--data", "faces", *words])
    again = shlex.split(command(first))
    assert again[:4] == ["python", "-m", "benchmarks", "run"]
    second = read(again[4:])
    assert asked(second) == asked(first)
    assert (second.checkpoint, second.data) == (first.checkpoint, first.data)
    assert json.loads(json.dumps(asked(first))) == asked(first)  # as a record gives it back


def test_no_folder_of_this_machine_is_told():
    first = read(
        [
            *("--checkpoint", "/there/me/best.ckpt", "--data", "/there/me/own.yaml"),
            *("--root", "/there/me/clips", "--data.init_args.root=/there/me/more"),
            "--data.init_args.identities=/there/me/who.csv",
        ]
    )
    told = command(first) + repr(asked(first))
    assert "/there/me" not in told
    assert shlex.split(command(first))[4:10] == [
        *("--checkpoint", "best.ckpt", "--data", "own.yaml", "--root", "/clips"),
    ]
    assert asked(first)["overrides"] == ["--data.init_args.identities=who.csv"]
