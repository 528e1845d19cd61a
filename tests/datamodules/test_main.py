import subprocess
import sys
import types

import pytest

from datamodules import __main__ as command


def test_without_a_command_there_is_help_and_status_2(capsys):
    assert command.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    for name, item in command.COMMANDS.items():
        assert f"  {name}" in err
        assert item.summary in err


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_no_error(capsys, word):
    assert command.main([word]) == 0
    out, err = capsys.readouterr()
    assert "usage: python -m datamodules COMMAND" in out
    assert err == ""


def test_a_word_that_is_no_command_is_one_line(capsys):
    assert command.main(["preparing", "folder"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: no command 'preparing'; there are: prepare, check\n")


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_a_command_gets_its_options_and_its_status_is_ours(monkeypatch, status):
    seen = []
    module = types.SimpleNamespace(main=lambda argv: seen.append(argv) or status)
    monkeypatch.setitem(sys.modules, "datamodules.prepare.command", module)
    monkeypatch.setattr(sys, "argv", ["prog", "prepare", "folder", "a b", "--size", "8"])
    assert command.main() == status
    assert seen == [["folder", "a b", "--size", "8"]]


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_has_help_and_refuses_nonsense(capsys, name):
    assert command.main([name, "--help"]) == 0
    assert f"usage: python -m datamodules {name}" in capsys.readouterr().out
    for nonsense in (["--nonsense"], ["x", "--nonsense", "y"]):
        assert command.main([name, *nonsense]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: ")


def test_the_process_ends_with_that_status():
    run = [sys.executable, "-m", "datamodules"]
    done = subprocess.run([*run, "nope"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no command 'nope'; there are: prepare, check\n"
