"""What a conversion of many recordings makes of them, decided before any is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.audio import WRITTEN_FORMATS
from vqspeech.conversion.sources import find_recordings
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.files import check_id, check_writable

if TYPE_CHECKING:
    from vqspeech.codec import Codec

ALL = "all"
"""Every voice of the model."""


@dataclass(frozen=True)
class Conversion:
    """One recording in one voice."""

    source: Path
    speaker: str
    out: Path


def chosen_speakers(codec: "Codec", named: str) -> list[str]:
    """The speakers that `a`, `a,b` or `all` names; raises VqspeechError for one that the model does not know."""
    speakers = list(codec.speakers) if named == ALL else list(dict.fromkeys(name.strip() for name in named.split(",")))
    for speaker in speakers:
        codec.speaker_index(check_id(speaker))
    return speakers


def plan(sources: Sequence[str], speakers: Sequence[str], out: Path | None, ending: str) -> list[Conversion]:
    """What is to be converted, and to where.

    `out` is a file with an ending that audio has, or a folder for `<speaker>/<name><ending>`, which mirrors the tree of
    the sources. Without it one recording becomes `<stem>_<speaker><ending>` here.
    Raises UsageError when `out` does not suit the sources, and VqspeechError for faulty sources, for two that would
    become one file, for one that would replace itself, and where nothing can be written.
    """
    # What an earlier run has made is no source, even where folders of outputs lie among the sources.
    recordings = find_recordings(sources, leave_out=[out / speaker for speaker in speakers] if out else ())
    alone = len(sources) == 1 and recordings[0].path == Path(sources[0])
    if out is None:
        if not alone:
            raise UsageError("several recordings may be meant: give --out DIR")
        path = recordings[0].path
        conversions = [Conversion(path, speaker, Path(f"{path.stem}_{speaker}{ending}")) for speaker in speakers]
    elif (alone and len(speakers) == 1 and out.suffix and not out.is_dir()) or out.suffix.lower() in WRITTEN_FORMATS:
        if len(recordings) * len(speakers) > 1:
            raise UsageError(f"--out {out}: one file, for {len(recordings) * len(speakers)} conversions; name a folder")
        if out.suffix.lower() not in WRITTEN_FORMATS:
            raise UsageError(f"--out {out}: write one of {' '.join(WRITTEN_FORMATS)}")
        conversions = [Conversion(recordings[0].path, speakers[0], out)]
    else:
        conversions = [
            Conversion(recording.path, speaker, out / speaker / f"{recording.name}{ending}")
            for recording in recordings
            for speaker in speakers
        ]
    _check_outputs(conversions)
    return conversions


def _check_outputs(conversions: Sequence[Conversion]) -> None:
    # What can be told now is told before minutes of sampling.
    sources: dict[Path, Path] = {}
    for one in conversions:
        check_writable(one.out)
        if one.out.resolve() == one.source.resolve():
            raise VqspeechError(f"{one.out}: would replace its own source; name another place with --out")
        other = sources.setdefault(one.out, one.source)
        if other != one.source:
            raise VqspeechError(
                f"{other} and {one.source} would both become {one.out}: convert them apart, such as by --src '*.wav'"
            )
