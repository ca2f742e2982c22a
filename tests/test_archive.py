"""Files within tar archives, against Python's own tarfile."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.speech import RATE, voice
from vqspeech import audio
from vqspeech.archive import Member
from vqspeech.errors import VqspeechError

CONTENTS = {"a.wav": b"0123456789" * 100, "folder/b.c.flac": b"x" * 512, "c.ogg": b"y"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def offsets(archive: Path) -> dict[str, int]:
    with tarfile.open(archive) as tar:
        return {member.name: member.offset_data for member in tar}


def test_content_is_what_tarfile_extracts(archive: Path) -> None:
    for name, content in CONTENTS.items():
        member = Member(archive, offsets(archive)[name], Path(name).stem)
        with member.open() as file:
            assert file.read() == content
        with member.open() as file, io.BytesIO(content) as expected:
            for offset, whence, count in ((3, 0, 5), (2, 1, 4), (-1, 2, 9), (7, 2, 3), (0, 0, 2000)):
                assert file.seek(offset, whence) == expected.seek(offset, whence)
                assert (file.read(count), file.tell()) == (expected.read(count), expected.tell())


def test_the_text_of_a_member_is_read_again(archive: Path) -> None:
    member = Member(archive, 512)
    assert str(member) == f"{archive}:512"
    assert Member.parse(str(member)) == member
    assert pickle.loads(pickle.dumps(member)) == member  # as processes hand it on
    for other in ("a.tar", "a.wav:3", "a.tar:", "a.tar:-1", "a.tar:1e3", "a.tar:" + "9" * 30, "a.tar:512 |"):
        assert Member.parse(other) is None


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg"])
def test_audio_in_an_archive_is_that_of_the_file(tmp_path: Path, ending: str) -> None:
    files = [tmp_path / f"{name}{ending}" for name in ("one", "two")]
    for seed, file in enumerate(files):
        soundfile.write(file, voice(120, 0.5, seed), RATE)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for file in files:
            tar.add(file, file.name)
    for file in files:
        member = Member(tmp_path / "a.tar", offsets(tmp_path / "a.tar")[file.name], file.stem)
        assert np.array_equal(audio.read(member, RATE), audio.read(file, RATE))
        assert audio.duration(member) == audio.duration(file)


def test_a_recording_that_is_cut_within_a_whole_archive_is_named(tmp_path: Path) -> None:
    for ending in (".wav", ".ogg"):
        file = tmp_path / f"a{ending}"
        soundfile.write(file, voice(120, 0.5, 0), RATE)
        file.write_bytes(file.read_bytes()[:-100])
        archive = tmp_path / f"{ending}.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(file, file.name)
        with pytest.raises(audio.AudioError, match=rf"{ending}\.tar:\d+: truncated"):
            audio.read(Member(archive, offsets(archive)[file.name], "a"), RATE)


@pytest.mark.parametrize(
    ("offset", "name", "reason"),
    [
        (0, "a", "no file of a tar archive begins there"),
        (100, "a", "no file of a tar archive begins there"),
        (1024, "a", "damaged, or another archive than it was"),
        (512, "b", "another archive than it was: it has 'a.wav' there, not b"),
        (512 * 10**15, "a", "no file of a tar archive begins there"),
        ("link.wav", "link", "another archive than it was: it has 'link.wav'"),
    ],
)
def test_what_is_no_member_is_refused(archive: Path, offset: int | str, name: str, reason: str) -> None:
    place = offsets(archive)[offset] if isinstance(offset, str) else offset
    with pytest.raises(VqspeechError, match=rf"a\.tar:{place}: {reason}"):
        Member(archive, place, name).open()


@pytest.mark.parametrize("size", [-1, 0, 2000, 2**62])
def test_a_header_that_promises_more_than_is_there_is_refused(archive: Path, size: int) -> None:
    header = tarfile.TarInfo("a.wav")
    header.size = size
    archive.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1000))
    with pytest.raises(VqspeechError, match=rf"a\.tar:512: truncated: 1000 of {size} bytes"):
        Member(archive, 512, "a").open()
