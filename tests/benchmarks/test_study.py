import importlib.util
import subprocess
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.study import STUDIES


def test_the_list_of_studies_imports_nothing_heavy():
    code = (
        "import sys, benchmarks.__main__ as door; status = door.main(['study', '--help']); "
        "assert status == 0; "
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'something heavy'; "
        "assert not [name for name in sys.modules if name.startswith('benchmarks.studies')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m benchmarks study COMMAND")
    for name in STUDIES:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", STUDIES)
def test_help_of_every_study(name, capsys):
    assert importlib.util.find_spec(STUDIES[name].module) is not None
    assert main(["study", name, "--help"]) == 0
    assert f"python -m benchmarks study {name}" in capsys.readouterr().out


def test_a_study_that_is_not_there_is_one_line_with_those_that_are(fails):
    error = fails(main, "study", "referenzen")
    assert "no command 'referenzen'" in error
    assert "references" in error


def test_no_name_gives_the_list(capsys):
    assert main(["study"]) == 2
    assert "references" in capsys.readouterr().err
