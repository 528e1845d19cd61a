import importlib.util
import subprocess
import sys

import pytest

import animators
from animators.__main__ import COMMANDS, main


def test_the_front_door_is_light():
    code = (
        "import sys, animators, animators.__main__ as door; door.main(['--help']); "
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'something heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


def test_public_names_are_there_and_others_are_not():
    assert callable(animators.load_animator)
    assert set(animators.__all__) <= set(dir(animators))
    with pytest.raises(AttributeError, match="no attribute 'load_model'"):
        animators.load_model  # noqa: B018


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_offered_exists(name):
    assert importlib.util.find_spec(COMMANDS[name].module) is not None


def test_help_and_no_command(capsys):
    assert main(["--help"]) == 0
    assert "usage:" in capsys.readouterr().out
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err


def test_unknown_command_is_one_line_that_names_the_others(capsys):
    assert main(["fitt"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: no command 'fitt'")
    assert err.count("\n") == 1
    assert "animate" in err
