"""The house rules, checked on the syntax tree and on the files themselves."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("animators", "datamodules", "benchmarks")
IGNORED = {".git", ".venv", "runs", "data", "wandb", "lightning_logs", "build", "dist"}
CACHES = ("__pycache__", ".egg-info", "_cache")

# Pictures and films that may be committed: made from toy clips, or curves. Nothing else, because a
# strip of a real clip is a copy of filmed people.
PICTURES_ALLOWED = {
    "benchmarks/demo.png",
    "benchmarks/field.png",
    "benchmarks/curves/solver.png",
    "benchmarks/curves/animators.png",
    "benchmarks/curves/sweep-lia-toy.png",
    "benchmarks/curves/actions.png",
    "benchmarks/curves/bodies.png",
    "benchmarks/curves/lia-faces.png",
    "benchmarks/curves/directions-penalty-faces.png",
    *(f"benchmarks/curves/references-few-shot-{d}.png" for d in ("actions", "bodies", "faces")),
}
PICTURE_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".svg"),
    *(".mp4", ".mov", ".avi", ".webm", ".mkv", ".m4v", ".pdf"),
}
PICTURE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x1a\x45\xdf\xa3", b"BM")
LARGEST = 2_000_000  # bytes a file may have

# Files whose length is a table's.
LONG_ALLOWED: set[str] = set()


def files() -> list[Path]:
    """Every file of the project: not the environment, runs, data or caches."""
    found = []
    for top in sorted(ROOT.iterdir()):
        if top.name in IGNORED or top.name.endswith(CACHES):
            continue
        found += [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file())
    return [p for p in found if not any(part.endswith(CACHES) for part in p.parts)]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python(*folders: str) -> list[Path]:
    return [p for p in files() if p.suffix == ".py" and name(p).split("/")[0] in folders]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def dotted(node: ast.AST) -> str:
    """`a.b.c` for that chain of attributes; the tail alone behind anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imports(path: Path) -> set[str]:
    """Every module that a file imports, and every name that it takes from one."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def at(path: Path, node: ast.AST) -> str:
    return f"{name(path)}:{getattr(node, 'lineno', '?')}"


def test_there_is_something_to_judge():
    assert len(python(*PACKAGES)) > 20
    assert len(python("tests")) > 10


def test_no_file_is_too_long():
    limits = {**dict.fromkeys(python(*PACKAGES), 300), **dict.fromkeys(python("tests"), 400)}
    long = {
        name(path): lines
        for path, limit in limits.items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }
    assert set(long) <= LONG_ALLOWED, long


def test_pages_stay_short():
    limits = {"README.md": 150, "CONTRIBUTING.md": 150}
    limits |= {name(p): 80 for p in (ROOT / "animators").glob("*/README.md")}
    for page, limit in limits.items():
        assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= limit, page


def test_grid_sample_is_called_in_one_file():
    users = {
        name(p) for p in python(*PACKAGES) for c in calls(p) if "grid_sample" in dotted(c.func)
    }
    users |= {name(p) for p in python(*PACKAGES) if any("grid_sample" in i for i in imports(p))}
    assert users == {"animators/nn/grid.py"}


def test_no_device_is_named_in_a_call():
    found = [
        at(p, c) for p in python(*PACKAGES) for c in calls(p) if dotted(c.func).endswith(".cuda")
    ]
    assert not found


def test_only_commands_print():
    def allowed(path: Path) -> bool:
        place = name(path)
        if place.startswith(("animators/commands/", "benchmarks/")):
            return True
        return path.stem in ("__main__", "command") or place == "datamodules/options.py"

    found = [
        at(p, c)
        for p in python(*PACKAGES)
        if not allowed(p)
        for c in calls(p)
        if dotted(c.func) == "print"
    ]
    assert not found


def test_no_bare_except():
    found = [
        at(p, node)
        for p in python(*PACKAGES, "tests")
        for node in ast.walk(tree(p))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not found


def test_no_global_random_state_is_drawn_from():
    globals_ = ("random.", "np.random.", "numpy.random.")
    for path in python("datamodules", "animators"):
        assert not imports(path) & {"random", "numpy.random"}, name(path)
        drawn = [at(path, c) for c in calls(path) if dotted(c.func).startswith(globals_)]
        assert not drawn
    plain = {
        f"torch.{kind}" for kind in ("rand", "randn", "randint", "randperm", "normal", "bernoulli")
    }
    for path in python("datamodules"):
        unkeyed = [
            at(path, c)
            for c in calls(path)
            if dotted(c.func) in plain and "generator" not in {k.arg for k in c.keywords}
        ]
        assert not unkeyed


def test_the_draws_helper_stands_alone():
    roots = {module.split(".")[0] for module in imports(ROOT / "animators/nn/draws.py")}
    assert roots - set(sys.stdlib_module_names) == {"torch"}


def test_foreign_files_are_opened_safely():
    for path in python(*PACKAGES):
        for call in calls(path):
            if dotted(call.func) == "torch.load":
                options = {k.arg: k.value for k in call.keywords}
                safe = options.get("weights_only")
                assert isinstance(safe, ast.Constant), at(path, call)
                assert safe.value is True, at(path, call)
            assert dotted(call.func) not in {"yaml.load", "eval", "exec"}, at(path, call)


def animators() -> list[str]:
    return sorted(p.parent.name for p in (ROOT / "animators").glob("*/module.py"))


@pytest.mark.parametrize("animator", animators())
def test_every_animator_is_complete(animator):
    for wanted in (
        f"animators/{animator}/README.md",
        f"animators/{animator}/network.py",
        f"zoo_configs/model/{animator}.yaml",
        f"tests/tiny/{animator}.yaml",
        f"tests/animators/{animator}",
    ):
        assert (ROOT / wanted).exists(), wanted
    assert list((ROOT / f"tests/animators/{animator}").glob("test_*.py"))
    # a network can be lifted out with torch alone
    assert not {i.split(".")[0] for i in imports(ROOT / f"animators/{animator}/network.py")} & {
        "lightning",
        "datamodules",
    }


def keys(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value)


@pytest.mark.parametrize("path", sorted((ROOT / "zoo_configs").rglob("*.yaml")), ids=name)
def test_yaml_composes(path):
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert isinstance(content, dict)
    if path.parent.name != "trainer":
        assert "callbacks" not in set(keys(content)), "a list replaces the trainer's: callbacks+"
    # two optimisers make Lightning count each batch twice
    assert "max_steps" not in set(keys(content))
    assert "$" not in text, "no interpolation and no environment look-ups"
    if path.parent.name == "model":
        assert content.keys() - {"data"} == {"model"}
        # how many views a model wants to see is no matter of the set
        assert content.get("data", {}).get("init_args", {}).keys() <= {"references"}
    if path.parent.name == "data":
        assert set(content) == {"data"}


def test_every_metric_says_which_way_is_better():
    bases = {}
    said = set()
    for path in python("animators"):
        if not name(path).startswith("animators/metrics/"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {dotted(base).split(".")[-1] for base in node.bases}
                names = {n.id for s in node.body for n in ast.walk(s) if isinstance(n, ast.Name)}
                said |= {node.name} if "higher_is_better" in names else set()
    metrics = {"Metric"}
    while more := {kind for kind, of in bases.items() if of & metrics} - metrics:
        metrics |= more
    # what others are built on is no metric yet
    final = {kind for kind in metrics & set(bases) if not any(kind in of for of in bases.values())}
    assert final
    assert final <= said


def test_no_pictures_or_films_outside_the_list():
    found = set()
    for path in files():
        with path.open("rb") as file:
            start = file.read(12)
        film = start[4:8] == b"ftyp"
        if path.suffix.lower() in PICTURE_SUFFIXES or start.startswith(PICTURE_STARTS) or film:
            found.add(name(path))
    assert found == PICTURES_ALLOWED


def text_files() -> Iterator[tuple[Path, str]]:
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content and path.name != "LICENSE":
            yield path, content.decode("utf-8")


def test_files_are_clean():
    # brackets keep these patterns from matching themselves
    machine = re.compile(r"(?<![\w.~}])/(?:work|farm|tmp|root|home)/")
    unfinished = re.compile(r"\b(?:TO[D]O|FIXM[E]|XX[X])\b")
    embedded = re.compile(r"data[:](?:image|video)/")
    for path, text in text_files():
        assert not machine.search(text), f"{name(path)} names a path of one machine"
        assert not unfinished.search(text), f"{name(path)} is unfinished"
        assert not embedded.search(text), f"{name(path)} holds a picture as text"
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), f"{name(path)} has trailing space"
        assert not text or text.endswith("\n"), f"{name(path)} lacks its last line end"


def test_no_file_is_large():
    large = [name(path) for path in files() if path.stat().st_size > LARGEST]
    assert not large


def carriers(module):
    """Distributions whose files hold a module: dlib-bin's own list of modules leaves dlib out."""
    return [
        each.name
        for each in importlib.metadata.distributions()
        if any(file.parts[0] == module for file in each.files or ())
    ]


def test_every_import_is_declared():
    """What the packages import stands in pyproject.toml, whatever else is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # what only tests want is no dependency of the packages
    lines = [line for name, of in extras.items() if name not in ("dev", "app-test") for line in of]
    lines += project["dependencies"]
    declared = {re.split(r"[\[<>=,;\s]", line)[0].lower() for line in lines}
    homes = importlib.metadata.packages_distributions()
    for path in python(*PACKAGES):
        for module in {i.split(".")[0] for i in imports(path)} - set(sys.stdlib_module_names):
            if module in PACKAGES:
                continue
            owners = homes.get(module) or carriers(module) or [module]
            owners = {owner.lower().replace("_", "-") for owner in owners}
            assert owners & declared, f"{name(path)} imports {module}"
