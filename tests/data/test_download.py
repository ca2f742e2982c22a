"""Fetching and unpacking an archive, from a server on this machine."""

import hashlib
import io
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vqspeech.data import download
from vqspeech.data.download import download_vctk
from vqspeech.errors import VqspeechError


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


NOISE = np.random.default_rng(0).bytes(300_000)
MEMBERS = {
    "speaker-info.txt": b"ID  AGE  GENDER\np225  23  F\n",
    "txt/p225/p225_001.txt": b"Please call Stella.\n",
    "wav48_silence_trimmed/p225/p225_001_mic1.flac": NOISE,
}
GOOD = archive(MEMBERS)
SUM = hashlib.sha256(GOOD).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content`; closes the connection early as often as `cuts` says; records the ranges asked for."""

    content = GOOD
    cuts: list[int]
    ranges: list[str | None]
    honours_ranges = True
    tells_length = True
    status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/VCTK.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        content = self.server.content
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.honours_ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.cuts, server.ranges = [], []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_is_fetched_checked_and_unpacked_once(server, tmp_path):
    corpus = download_vctk(tmp_path / "new", server.url, SUM.upper())
    assert contents(corpus) == MEMBERS
    assert download_vctk(tmp_path / "new", server.url, SUM) == corpus
    assert server.ranges == [None]


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [100_000, 200_000]
    assert contents(download_vctk(tmp_path, server.url, SUM)) == MEMBERS
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]


def test_a_download_of_an_earlier_day_is_gone_on_with(server, tmp_path):
    (tmp_path / "VCTK-Corpus-0.92.zip.part").write_bytes(GOOD[:1234])
    assert contents(download_vctk(tmp_path, server.url, SUM)) == MEMBERS
    assert server.ranges == ["bytes=1234-"]


def test_a_part_that_is_complete_is_not_fetched_again(server, tmp_path):
    (tmp_path / "VCTK-Corpus-0.92.zip.part").write_bytes(GOOD)
    assert contents(download_vctk(tmp_path, server.url, SUM)) == MEMBERS


def test_a_part_that_is_longer_than_the_file_is_begun_anew(server, tmp_path):
    (tmp_path / "VCTK-Corpus-0.92.zip.part").write_bytes(GOOD + b"more")
    assert contents(download_vctk(tmp_path, server.url, SUM)) == MEMBERS


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.honours_ranges = False
    server.cuts = [100_000]
    assert contents(download_vctk(tmp_path, server.url, SUM)) == MEMBERS


def test_a_server_that_stays_away_is_given_up_and_what_came_is_kept(server, tmp_path):
    server.cuts = [50_000] * 20
    with pytest.raises(VqspeechError, match=r"closed after 50000 of .*run it again to go on from .*zip\.part"):
        download_vctk(tmp_path, server.url, SUM)
    assert (tmp_path / "VCTK-Corpus-0.92.zip.part").read_bytes() == GOOD[:50_000]


def test_a_server_that_refuses_is_not_asked_again(server, tmp_path):
    server.status = 404
    with pytest.raises(VqspeechError, match=r"VCTK\.zip: 404 Not Found"):
        download_vctk(tmp_path, server.url)
    assert len(server.ranges) == 1


def test_no_server_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with pytest.raises(VqspeechError, match="refused"):
        download_vctk(tmp_path, "http://127.0.0.1:9/VCTK.zip")


def test_another_sum_removes_the_file(server, tmp_path):
    server.content = GOOD[:-1] + b"?"
    with pytest.raises(VqspeechError, match=f"and not {SUM}"):
        download_vctk(tmp_path, server.url, SUM)
    assert not list(tmp_path.iterdir())


def test_an_archive_that_is_there_already_is_checked_and_left(tmp_path):
    archive = tmp_path / "VCTK-Corpus-0.92.zip"
    archive.write_bytes(GOOD + b"?")
    with pytest.raises(VqspeechError, match=rf"VCTK-Corpus-0\.92\.zip: its SHA-256 .*not {SUM}"):
        download_vctk(tmp_path, "http://127.0.0.1:9/VCTK.zip", SUM)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]
    archive.write_bytes(GOOD)
    assert contents(download_vctk(tmp_path, "http://127.0.0.1:9/VCTK.zip", SUM)) == MEMBERS


def test_a_sum_that_is_not_checked_is_told(server, tmp_path, capsys):
    download_vctk(tmp_path, server.url)
    assert SUM in capsys.readouterr().err


def link(name: str, target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        member = zipfile.ZipInfo(name)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(member, target)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive(MEMBERS | {"../evil.txt": b""}),
        archive(MEMBERS | {"txt/../../evil.txt": b""}),
        archive(MEMBERS | {"/tmp/evil.txt": b""}),
        archive(MEMBERS | {"..\\evil.txt": b""}),
        archive(MEMBERS | {"C:/evil.txt": b""}),
        link("txt", "/etc"),
    ],
)
def test_an_archive_that_leads_elsewhere_is_not_unpacked(server, tmp_path, content):
    server.content = content
    with pytest.raises(VqspeechError, match="not unpacked, since its member"):
        download_vctk(tmp_path / "inner", server.url)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "VCTK-Corpus-0.92.zip"]


@pytest.mark.parametrize("content", [b"no archive at all", GOOD.replace(NOISE[:1000], NOISE[1:1001])])
def test_a_damaged_archive_leaves_no_half_corpus(server, tmp_path, content):
    server.content = content
    with pytest.raises(VqspeechError, match="damaged"):
        download_vctk(tmp_path, server.url)
    assert [path.name for path in tmp_path.iterdir()] == ["VCTK-Corpus-0.92.zip"]


def test_an_archive_that_would_fill_the_disk_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_CORPUS", 200_000)
    (tmp_path / "VCTK-Corpus-0.92.zip").write_bytes(GOOD)
    with pytest.raises(VqspeechError, match="would unpack to 300048 bytes, more than a corpus has"):
        download_vctk(tmp_path, server.url)


def test_a_server_that_sends_without_end_is_cut_short(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_CORPUS", 200_000)
    with pytest.raises(VqspeechError, match="are more than a corpus has"):
        download_vctk(tmp_path, server.url)
    server.tells_length = False
    with pytest.raises(VqspeechError, match="sends more than the 200000 bytes"):
        download_vctk(tmp_path, server.url)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < len(GOOD) + 2**20


def test_a_folder_at_the_top_of_the_archive_is_gone_into(server, tmp_path):
    server.content = archive({f"VCTK/{name}": content for name, content in MEMBERS.items()})
    assert contents(download_vctk(tmp_path, server.url)) == MEMBERS
