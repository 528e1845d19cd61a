import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from benchmarks.page import index
from benchmarks.page.command import main
from datamodules import media
from tests.benchmarks.page.conftest import FACTORS, ODD, make_record

VOID = {"meta", "img", "input"}
FETCHING = {"src", "href", "srcset", "poster", "data", "action", "background", "xlink:href"}


class Read(HTMLParser):
    """Every element with its attributes, every text, and whether all is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def build(records, tmp_path):
    """Make a page of the three records and read it."""

    def run(*words):
        output = tmp_path / "page.html"
        given = ["--records", *map(str, records), "--output", str(output), *map(str, words)]
        assert main(given) == 0
        return Read(output.read_text(encoding="utf-8"))

    return run


@pytest.fixture
def page(build, filmed):
    return build("--data", "toy", "--films", filmed.rebuilt, filmed.crossed)


def test_nothing_is_fetched(page):
    for tag, attributes in page.found:
        for name in FETCHING & attributes.keys():
            assert attributes[name].startswith(("data:", "#")), (tag, name)
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    (style,) = (text for text in page.texts if ":root" in text)
    assert not re.search(r"url\(|@import|http", style)
    (script,) = (text for text in page.texts if "use strict" in text)
    assert not re.search(r"fetch|XMLHttp|import|http|innerHTML", script)
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")


def test_every_film_decodes_to_columns_of_one_width(page, filmed, tmp_path):
    films = page.all("video")
    columns = [one for _, one in page.found if one.get("class") == "mosaic"]
    assert len(films) == len(columns) == 3
    for film, style in zip(films, columns, strict=True):
        kind, _, body = film["src"].partition(",")
        assert kind.split(":") == ["data", "video/mp4;base64"]
        path = tmp_path / "film.mp4"
        path.write_bytes(base64.b64decode(body, validate=True))
        with media.open_clip(path) as clip:
            assert clip.num_frames == 4
            assert clip.size[1] == 128 * int(style["style"].partition(": ")[2])
    assert (
        films[0]["src"].partition(",")[2]
        == base64.b64encode((filmed.rebuilt / "01.mp4").read_bytes()).decode()
    )
    for picture in page.all("img"):
        body = base64.b64decode(picture["src"].partition(";base64,")[2])
        assert body.startswith(b"\x89PNG")
        assert picture["alt"]


def test_names_are_escaped(page):
    assert not page.all("b")
    assert page.texts.count(ODD) >= 4  # tables, bars, labels of columns, pictures
    assert any(ODD in one.get("aria-label", "") for one in page.all("video"))


def test_tables(page):
    marked = [one for tag, one in page.found if tag == "tr" and one.get("class") == "copied"]
    assert len(marked) == 2  # the table of the protocol, and that by motion
    text = "\n".join(page.texts)
    record = make_record("tpsmm", FACTORS["tpsmm"])
    assert f"{record['metrics']['l1']:.4f}" in text
    assert len(page.all("strong")) >= 3
    values = [one["data-value"] for one in page.all("td") if "data-value" in one]
    assert all(float(value) == float(value) for value in values)
    assert "19968.0" in values
    heads = page.all("button")
    assert {one["data-first"] for one in heads if one.get("class") == "sort"} == {
        "ascending",
        "descending",
    }


def test_parts(page):
    text = "".join(page.texts)
    for words in ("By size of motion", "frames a second", "0123456789ab", "abababababab",
                  "python -m benchmarks run --name fomm", "python -m benchmarks films",
                  "python -m benchmarks page", "some CPU"):  # fmt: skip
        assert words in text
    assert len(page.all("svg")) == 2
    (select,) = (one for one in page.all("select") if one.get("class") == "metric")
    assert {one["for"] for one in page.all("label")} >= {select["id"], "speed", "position"}
    ids = [one["id"] for _, one in page.found if "id" in one]
    assert len(ids) == len(set(ids))
    assert {one["href"].removeprefix("#") for one in page.all("a")} <= set(ids)


def test_a_page_without_films(build):
    page = build()
    assert not page.all("video")
    assert "Films" not in page.texts


def test_no_field_is_said(build, filmed, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(filmed.crossed, folder)
    told = json.loads((folder / "index.json").read_text())
    for one in told["films"][0]["pictures"]:
        one["field"] = one["longest"] = None
    (folder / "index.json").write_text(json.dumps(told))
    assert build("--films", folder).texts.count("no field") == 2


def test_too_much_is_refused(records, filmed, tmp_path, fails, monkeypatch):
    out = tmp_path / "page.html"
    words = ["--records", *records, "--output", out, "--films"]
    many = fails(main, *words, *[filmed.rebuilt] * 5)
    assert "10 films, a page takes 8 at most" in many
    assert "--clips" in many
    monkeypatch.setattr(index, "MOST_BYTES", 20_000)
    assert "fewer --frames or a higher --crf" in fails(main, *words, filmed.rebuilt)
    monkeypatch.setattr(index, "MOST_BYTES", 10_000)
    assert "the page would have" in fails(main, *words[:-1])
    assert not out.exists()


def test_bad_films(records, filmed, tmp_path, fails):
    words = ["--records", *records, "--output", tmp_path / "page.html", "--films"]
    assert "python -m benchmarks films" in fails(main, *words, tmp_path / "absent")
    folder = tmp_path / "films"
    shutil.copytree(filmed.crossed, folder)
    (folder / "01.mp4").unlink()
    assert "01.mp4: make the films again" in fails(main, *words, folder)
    told = (folder / "index.json").read_text()
    (folder / "index.json").write_text(told.replace('"01.mp4"', '"../secret.mp4"'))
    assert "no file beside it" in fails(main, *words, folder)
    (folder / "index.json").write_text("{}")
    assert "is damaged" in fails(main, *words, folder)


def test_bad_options(records, tmp_path, fails):
    out = tmp_path / "page.html"
    assert "'faces'; there are records of: toy" in fails(
        main, "--records", *records, "--data", "faces", "--output", out
    )
    assert ".html" in fails(main, "--records", *records, "--output", tmp_path / "page.txt")
    assert "give one" in fails(main, "--records", *records, "--results", tmp_path, "--output", out)
    assert "no record" in fails(main, "--results", tmp_path / "none", "--output", out)
