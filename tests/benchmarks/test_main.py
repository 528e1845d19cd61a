import importlib.util
import subprocess
import sys

import pytest

from benchmarks.__main__ import COMMANDS, main


def test_the_front_door_is_light():
    code = (
        "import sys, benchmarks.__main__ as door; door.main(['--help']); "
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'something heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name, capsys):
    assert importlib.util.find_spec(COMMANDS[name].module) is not None
    assert main([name, "--help"]) == 0
    assert f"python -m benchmarks {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("table", "speed", "loader", "study")]
)
def test_missing_options(name, capsys):
    assert main([name]) == 2
    assert "required" in capsys.readouterr().err


def test_unknown_command(capsys):
    assert main(["rum"]) == 2
    assert capsys.readouterr().err.startswith("error: no command 'rum'")


def test_unknown_option(capsys):
    assert main(["table", "--resluts", "x"]) == 2
    assert "unrecognized arguments: --resluts" in capsys.readouterr().err


def test_data_options_belong_to_commands_that_read_data(capsys):
    assert main(["table", "--data.init_args.root=x"]) == 2
    assert "reads no data" in capsys.readouterr().err
