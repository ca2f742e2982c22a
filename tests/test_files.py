import errno
import os
from pathlib import Path

import pytest

from tests.full_disk import full_disk
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder, atomic_path, atomic_write, check_id


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path):
    with atomic_write(tmp_path / "new" / "a.txt") as file:
        file.write("é\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_bytes(tmp_path: Path):
    with atomic_write(tmp_path / "a.bin", "wb") as file:
        file.write(b"\x00\r\n")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\r\n"


def test_nothing_is_seen_before_the_block_ends(tmp_path: Path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as file:
        file.write("half")
        file.flush()
        assert not path.exists()
    assert path.read_text() == "half"


def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_names_the_file_and_keeps_the_old_one(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match=r"a\.bin") as caught, full_disk(4096), atomic_write(path, "wb") as file:
        file.write(bytes(100_000))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_disk_found_full_only_when_flushing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match=r"No space left on device.*a\.txt"), atomic_write(path) as file:
        file.write("new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as caught, atomic_write(tmp_path / "a.txt"):
        missing.read_text()
    assert caught.value.filename == str(missing)


def test_atomic_path_has_the_suffix_and_the_folder_of_the_target(tmp_path: Path):
    with atomic_path(tmp_path / "a.flac") as temporary:
        assert (temporary.suffix, temporary.parent) == (".flac", tmp_path)
        temporary.write_bytes(b"sound")
    assert (tmp_path / "a.flac").read_bytes() == b"sound"
    assert os.listdir(tmp_path) == ["a.flac"]


def test_a_link_is_followed(tmp_path: Path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with atomic_write(tmp_path / "link.txt") as file:
        file.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


@pytest.mark.parametrize("path", ["/dev/null", "."])
def test_devices_and_folders_are_refused(path: str):
    with pytest.raises(VqspeechError, match="not a plain file"), atomic_write(Path(path)):
        pass


def test_a_folder_appears_whole(tmp_path: Path):
    target = tmp_path / "units"
    target.mkdir()
    with atomic_folder(target) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        assert not any(target.iterdir())
    assert (target / "inner" / "a.txt").read_text() == "a"
    assert os.listdir(tmp_path) == ["units"]


def test_a_folder_that_fails_is_not_there(tmp_path: Path):
    with pytest.raises(ValueError), atomic_folder(tmp_path / "units") as folder:
        (folder / "a.txt").write_text("a")
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_a_folder_that_holds_something_is_not_replaced(tmp_path: Path):
    (tmp_path / "a.txt").write_text("kept")
    with pytest.raises(VqspeechError, match="exists already"), atomic_folder(tmp_path):
        pass
    assert (tmp_path / "a.txt").read_text() == "kept"


@pytest.mark.parametrize("id", ["p225_001", "s5", "1089-134686-0000", "Zoë", "a.b"])
def test_good_ids(id: str):
    assert check_id(id) == id


@pytest.mark.parametrize(
    "id",
    [
        "",
        "../../x",
        "a/b",
        "..",
        "a..b",
        ".hidden",
        "-rf",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "a\x1b[2Jb",
        "a\u00a0b",
    ],
)
def test_bad_ids_are_shown_safely_in_one_line(id: str):
    with pytest.raises(VqspeechError) as caught:
        check_id(id)
    assert str(caught.value).isprintable()


def test_a_link_to_nothing_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to(tmp_path / "elsewhere")
    link = tmp_path / "page.html"
    with pytest.raises(VqspeechError, match=r"page\.html: it is a link to a file"), atomic_write(link) as file:
        file.write("page")
    assert not (tmp_path / "elsewhere").exists()
