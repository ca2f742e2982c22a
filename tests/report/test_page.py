"""The page as a parser and a browser see it, of an experiment whose names would be markup."""

import base64
import io
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

import vqspeech
from tests.browser import CHROMIUM, Tab, browser
from tests.evaluation.test_runner import give_labels, write_log
from tests.speech import make_data_dir, voice
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.data.kaldi import read_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.phone_map import TABLE, write_counts
from vqspeech.evaluation.runner import evaluate
from vqspeech.evaluation.table import data_rows, measure_rows
from vqspeech.report.experiment import Experiment
from vqspeech.report.page import render, write_report
from vqspeech.report.sound import listening
from vqspeech.report.units import phone_map
from vqspeech.units.extract import extract_units

SPEAKERS = ("a", '<b>&"x')
SECONDS = 0.6
VOID = {"meta", "link", "br"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def all(self, *names: str) -> Iterator["Element"]:
        """The elements of these names at any depth, in order."""
        for element in self.inside:
            if not names or element.name in names:
                yield element
            yield from element.all(*names)


class Page(HTMLParser):
    """A page as a tree; every element has to be closed where it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(html)
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recipe leaves, of a model that was never trained."""
    folder = tmp_path_factory.mktemp("work")
    model = folder / "exp" / "a & <b>"
    save_tiny_model(model, SPEAKERS)
    dev = {"split": "dev", "bits_true": 5.0, "bits_shuffled": 6.0, "bits_zeroed": 6.5, "minutes": 0.1}
    write_log(
        model,
        [{"split": "train", "step": 5, "minutes": 0.1, "bits": 6.0}, dev | {"step": 10}, dev | {"step": 20}],
    )
    train, test = (
        give_labels(make_data_dir(folder / name, SPEAKERS, seconds=SECONDS), folder / f"{name}-labelled")
        for name in ("train", "test")
    )
    measures = ("codes", "map", "nearest", "words")
    options = {"measures": measures, "copies": 3, "conversions": 3, "seconds": 1.0, "command": "make <it>"}
    evaluate(model, test, train, model / "results", **options)
    extract_units(vqspeech.load(model), read_data_dir(test), model / "units" / "test")
    audio.write(model / "wav" / "a" / f"{SPEAKERS[1]}_000.wav", voice(100, SECONDS, 1), 16000)
    audio.write(model / "samples" / "a" / "uniform-1.wav", voice(100, SECONDS, 2), 16000)
    return model


@pytest.fixture(scope="module")
def html(experiment: Path) -> str:
    return render(Experiment(experiment))


@pytest.fixture(scope="module")
def root(html: str) -> Element:
    return Page(html).root


def test_it_asks_nothing_of_the_network(html: str, root: Element) -> None:
    addresses = [
        value
        for element in root.all()
        for name, value in element.attributes.items()
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
    ]
    assert all(re.match("data:|#", address) for address in addresses)
    assert not re.search(r"https?:|@import|url\((?!#)", html)
    assert not list(root.all("script", "iframe", "object"))


def test_all_data_is_whole(root: Element) -> None:
    players = list(root.all("audio"))
    assert len(players) >= 8
    for player in players:
        kind, data = player.attributes["src"].split(";base64,")
        assert kind == "data:audio/ogg;codecs=opus"
        info = soundfile.info(io.BytesIO(base64.b64decode(data, validate=True)))
        assert (info.duration, info.channels) == (pytest.approx(SECONDS, abs=0.01), 1)
    pictures = [image.attributes["href"] for image in root.all("image")]
    assert len(pictures) >= 2
    for picture in pictures:
        data = picture.removeprefix("data:image/png;base64,").strip()
        assert imread(io.BytesIO(base64.b64decode(data))).ndim == 3


def test_tables_say_what_the_results_say(experiment: Path, root: Element) -> None:
    results = json.loads((experiment / "results/results.json").read_text())
    tables = {table.inside[0].text: table for table in root.all("table")}

    def rows(caption: str) -> list[tuple[str, ...]]:
        return [tuple(cell.text for cell in row.inside) for row in tables[caption].all("tr")][1:]

    assert rows("Measures") == list(measure_rows(results))
    assert rows("Speech") == list(data_rows(results["data"]))
    assert ("bottleneck.codes", "16") in rows("Model, every setting")
    assert ("decoder.conditioning_dilations", "") in rows("Model, every setting")
    assert next(root.all("pre")).text == "make <it>"


def test_names_are_text_and_never_markup(root: Element) -> None:
    assert not list(root.all("b", "i"))
    assert [title.text for title in root.all("title", "h1")] == ["a & <b>"] * 2
    labels = [player.attributes["aria-label"] for player in root.all("audio")]
    assert '<b>&"x_000, as a' in labels
    assert "uniform-1, voice a" in labels
    assert [caption.text for caption in root.all("figcaption") if caption.text in labels] == labels


def test_it_can_be_read_without_eyes(root: Element) -> None:
    levels = [int(heading.name[1]) for heading in root.all("h1", "h2", "h3")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert next(root.all("html")).attributes["lang"] == "en"
    assert all(picture.attributes["role"] == "img" and picture.attributes["aria-label"] for picture in root.all("svg"))
    assert all(table.inside[0].name == "caption" for table in root.all("table"))
    assert all(cell.attributes["scope"] in ("row", "col") for cell in root.all("th"))
    ids = [element.attributes["id"] for element in root.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = [link.attributes["href"].removeprefix("#") for link in root.all("a", "use")]
    assert set(links) <= set(ids)


def test_the_spectrogram_bears_the_units_that_units_txt_has(experiment: Path, root: Element) -> None:
    (picture,) = (svg for svg in root.all("svg") if "and its units" in svg.attributes["aria-label"])
    utterance = re.search(r"s of (\S+) and", picture.attributes["aria-label"])[1]
    lines = (line.split() for line in (experiment / "units/test/units.txt").read_text().splitlines())
    (units,) = (line[1:101] for line in lines if line[0] == utterance)
    # The axes' numbers are larger.
    shown = [text.text for text in picture.all("text") if "font-size: 7px" in text.attributes["style"]]
    assert shown == [code for code, _ in itertools.groupby(units)]


def test_the_map_puts_each_code_beside_its_phone(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/results.json").write_text('{"map": {}}')
    # Code 9 falls on z alone, 4 on y, 1 on x, the commonest first: a falling diagonal.
    codes, phones = np.array([1, 4, 9]), np.array(["x", "y", "z"])
    write_counts(tmp_path / "results" / TABLE, codes, phones, np.array([[1, 0, 0], [0, 5, 0], [0, 0, 3]]))
    picture = Page(phone_map(Experiment(tmp_path))).root
    assert [text.text for text in picture.all("text") if text.text in "xyz"] == ["y", "z", "x"]
    image = next(picture.all("image")).attributes
    data = image["href"].removeprefix("data:image/png;base64,").strip()
    # The picture turns the image over.
    assert image["transform"].startswith("scale(1 -1) ")
    pixels = imread(io.BytesIO(base64.b64decode(data)))[::-1, :, :3].mean(2)
    height, width = pixels.shape
    centres = pixels[height // 6 :: height // 3, width // 6 :: width // 3][:3, :3]
    assert (centres > 0.5).tolist() == np.eye(3, dtype=bool).tolist()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    page = Page(render(Experiment(tmp_path / "model"))).root
    sentences = [element.text for element in page.all("p") if element.attributes.get("class") == "absent"]
    assert len(sentences) == 9
    for part in ("results/results.json", "results/wav", "prior", "metrics.jsonl", "units/test", "map of phones"):
        assert any(part in sentence for sentence in sentences), part
    assert all(sentence.startswith(("There", "The ")) and sentence.endswith(".") for sentence in sentences)
    assert not list(page.all("audio", "svg"))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("results/results.json", "{", r"results\.json: damaged: Expecting"),
        ("results/results.json", "[]", r"results\.json: damaged: expected an object"),
        ("results/results.json", '{"model": 3}', r"is damaged, or of a later version of vqspeech: TypeError"),
        ("config.json", "{}", r"is damaged, .*KeyError: 'model'"),
        ("train/metrics.jsonl", "3\n", r"train/metrics\.jsonl.* is damaged"),
        ("units/test/units.txt", "a 1\n", r"units/test: not a units dir"),
    ],
)
def test_damage_is_one_line_and_no_page(tmp_path: Path, file: str, content: str, says: str) -> None:
    save_tiny_model(tmp_path / "model")
    path = tmp_path / "model" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    with pytest.raises(VqspeechError, match=says):
        write_report(tmp_path / "model", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/results.json").write_text('{"samples": [{"source": "../x", "speaker": "y"}]}')
    with pytest.raises(VqspeechError, match=r"unsafe id '\.\./x'"):
        listening(Experiment(tmp_path))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def file(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_a_browser_shows_it(tab: Tab, file: Path, width: int, scheme: str) -> None:
    tab.open(file.as_uri(), width, scheme)
    # Nothing moves the page sideways, though tables and pictures in it may scroll.
    assert tab.run("innerWidth") == width
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page, text, picture = tab.run(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,"
        " getComputedStyle(document.querySelector('svg text')).fill]"
    )
    brightness = [np.mean(list(map(int, re.findall(r"\d+", colour)[:3]))) for colour in (page, text)]
    assert brightness[0] > brightness[1] + 150 if scheme == "light" else brightness[1] > brightness[0] + 150
    assert picture == text
    shot = imread(io.BytesIO(base64.b64decode(tab.call("Page.captureScreenshot")["data"])))
    assert (np.median(shot[:, :, :3]) > 0.9) == (scheme == "light")
    outside = [event["request"]["url"][:60] for event in tab.named("Network.requestWillBeSent")]
    assert [url for url in outside if not url.startswith("data:")] == [file.as_uri()]
    assert not tab.named("Runtime.exceptionThrown") + tab.named("Runtime.consoleAPICalled")
    assert not tab.named("Log.entryAdded")


def test_a_browser_plays_every_clip(tab: Tab, file: Path) -> None:
    tab.open(file.as_uri(), 1280, "light")
    played = tab.run(
        "Promise.all([...document.querySelectorAll('audio')].map(audio => new Promise((resolve, reject) => {"
        "  audio.muted = true;"
        "  audio.onended = () => resolve([audio.duration, audio.currentTime]);"
        "  audio.onerror = () => reject(audio.error.message);"
        "  audio.play().catch(reject);"
        "})))"
    )
    assert len(played) >= 8
    assert np.array(played) == pytest.approx(SECONDS, abs=0.03)
