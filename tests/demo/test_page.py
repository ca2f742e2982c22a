"""The page as somebody uses it: in a browser, with recordings."""

import os
import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import numpy as np
import pytest
import soundfile

import vqspeech
from tests.browser import CHROMIUM, Tab, browser
from tests.conftest import ROOT
from tests.serving import Served, serving
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech import audio

SPEAKERS = ("x01", "x02", "x03")
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
CLIPS = "[...document.querySelectorAll('a.download-link')].map(link => link.href)"
DRAWN = "document.querySelector('figure svg')?.ariaLabel"


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """Where all goes that the server would ask of other machines."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder, SPEAKERS)
    return folder


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def served(trap: socket.socket, model: Path, temporary: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "vqspeech.cli.demo", "--model", str(model), "--port", "0"]
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), f"http://127.0.0.1:{trap.getsockname()[1]}")
    with serving(command, ROOT, os.environ | proxies | {"TMPDIR": str(temporary)}) as served:
        yield served


@pytest.fixture(scope="module")
def browsing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    with browser(tmp_path_factory.mktemp("profile"), *MICROPHONE) as tab:
        yield tab


@pytest.fixture
def tab(browsing: Tab, served: Served) -> Tab:
    """The page, newly opened."""
    browsing.open(served.address, 1280, "light")
    return browsing


def upload(tab: Tab, file: Path) -> None:
    tab.choose_file(file)
    tab.until("!document.querySelector('input[type=file]')")


def fetch(request: str | Request) -> bytes:
    # Without a proxy.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return response.read()


def test_an_upload_is_heard_and_drawn(tab: Tab, served: Served, model: Path, tmp_path: Path) -> None:
    recording = tmp_path / "a.flac"
    soundfile.write(recording, voice(120, 0.5, seed=0), 2 * RATE)
    upload(tab, recording)
    # The voice of the conversion, by the list of voices.
    tab.run("document.querySelector('input[aria-label=\"Voice of the conversion\"]').focus()")
    tab.until(
        "[...document.querySelectorAll('[role=option]')].filter(option => option.innerText.includes('x02'))"
        ".map(option => option.dispatchEvent(new MouseEvent('mousedown', {bubbles: true})) || true)[0]"
    )
    tab.press("Convert")
    label = tab.until(DRAWN)
    assert "source, copy in the voice of x01, conversion to the voice of x02, and their 63 units" in label
    source, copy, conversion = tab.run(CLIPS)
    codec = vqspeech.load(model)
    for address, speaker in ((copy, "x01"), (conversion, "x02")):
        codec.convert_file(recording, speaker, tmp_path / "wanted.wav")
        (tmp_path / "heard.wav").write_bytes(fetch(address))
        wanted, heard = (soundfile.read(tmp_path / f"{name}.wav", dtype="int16") for name in ("wanted", "heard"))
        assert heard[1] == wanted[1] == RATE
        assert np.array_equal(heard[0], wanted[0])
    (tmp_path / "source.wav").write_bytes(fetch(source))
    assert audio.read(tmp_path / "source.wav", RATE) == pytest.approx(audio.read(recording, RATE), abs=2**-15)
    tab.press("Play")
    assert tab.until("!!document.querySelector('button[aria-label=Pause]')")
    assert not tab.named("Runtime.exceptionThrown") + tab.named("Log.entryAdded")


def test_a_recording_of_the_microphone_is_heard(tab: Tab) -> None:
    tab.press("Record audio")
    tab.press("Record")
    tab.until("/0:0[1-9]/.test(document.body.innerText)")
    tab.press("Stop")
    # The page asks for what it has uploaded.
    tab.until("performance.getEntriesByType('resource').some(entry => entry.name.includes('/gradio_api/file='))")
    tab.press("Convert")
    assert tab.until(DRAWN)
    assert len(tab.run(CLIPS)) == 3


@pytest.mark.parametrize(
    ("name", "waveform", "says"),
    [
        ("quiet.wav", np.zeros(RATE), "quiet.wav: silent; nothing in it is louder than -60 dBFS."),
        ("long.flac", np.full(21 * RATE, 0.1), "long.flac: longer than 20 s; cut it"),
        ("no.wav", None, "no.wav: cannot be read as audio: "),
        (None, None, "Record or upload speech first."),
    ],
)
def test_a_sentence_says_what_is_wrong(
    tab: Tab, tmp_path: Path, name: str | None, waveform: np.ndarray | None, says: str
) -> None:
    if waveform is not None:
        soundfile.write(tmp_path / name, waveform, RATE)
    elif name is not None:
        (tmp_path / name).write_bytes(b"no audio " * 1000)
    if name is not None:
        upload(tab, tmp_path / name)
    tab.press("Convert")
    assert tab.until("document.querySelector('[role=alert]')?.innerText").startswith(says)
    assert tab.run(CLIPS) == []


def test_a_file_beyond_the_limit_is_refused(tab: Tab, served: Served, tmp_path: Path) -> None:
    (tmp_path / "large.wav").write_bytes(bytes(21 * 2**20))
    tab.choose_file(tmp_path / "large.wav")
    assert tab.until("document.body.innerText.includes('exceed the maximum allowed size of 20.0 Mb')")
    # Nor does the server take what comes without the page.
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n' + bytes(21 * 2**20)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(HTTPError, match="413"):
        fetch(Request(f"{served.address}/gradio_api/upload", body + b"\r\n--x--\r\n", headers))


def test_nothing_goes_elsewhere(tab: Tab, served: Served, trap: socket.socket) -> None:
    tab.until("[...document.querySelectorAll('button')].some(button => button.innerText == 'Convert')")
    asked = [event["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert len(asked) > 10
    assert all(re.match(f"{served.address}/|blob:|data:", address) for address in asked)
    # A browser that expects to ask of an address may go there before it does.
    assert not re.search("preconnect|prefetch|preload", fetch(served.address).decode())
    # Nor could the page: its policy forbids it.
    forbidden = tab.run(
        "new Promise(done => {"
        "  document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));"
        "  fetch('https://example.com').finally(() => setTimeout(() => done('nothing'), 1000));"
        "})"
    )
    assert forbidden == "connect-src"
    with pytest.raises(BlockingIOError):
        trap.accept()


def test_it_answers_this_machine_alone(served: Served) -> None:
    port = int(served.address.rpartition(":")[2])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} " in line]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening
    with pytest.raises(HTTPError, match="400"):
        fetch(Request(served.address, headers={"Host": "elsewhere.example"}))


def test_it_leaves_nothing_when_it_ends(served: Served, temporary: Path) -> None:
    fetch(served.address)
    assert list(temporary.glob("vqspeech-demo-*"))
    assert served.end() == 143
    assert not [path for path in temporary.rglob("*") if path.is_file() or path.name.startswith("vqspeech-demo-")]
