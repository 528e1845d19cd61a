import argparse

import pytest

from benchmarks import options


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, FloatingPointError])
def test_what_the_user_can_mend_is_one_line(kind, fails):
    def work(_):
        raise kind("the solver failed:\n take another")

    def main(argv):
        return options.run(argparse.ArgumentParser(), work, argv)

    assert fails(main) == "error: the solver failed: take another\n"


def test_what_the_user_cannot_mend_is_not_hidden():
    def work(_):
        raise ZeroDivisionError("a mistake of ours")

    with pytest.raises(ZeroDivisionError):
        options.run(argparse.ArgumentParser(), work, [])


def test_ctrl_c_is_one_line_and_a_shells_status(capsys):
    def work(_):
        raise KeyboardInterrupt

    assert options.run(argparse.ArgumentParser(), work, []) == 130
    assert capsys.readouterr().err == "interrupted\n"
