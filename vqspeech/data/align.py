"""Phone labels by forced alignment: of who is known to have said what, pocketsphinx tells when.

Needs the extra `align`; its English model lies in the package. Phones are those of ARPAbet.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.data.kaldi import DataDir
from vqspeech.data.labels import Phone, plain_phone
from vqspeech.errors import VqspeechError
from vqspeech.extras import require
from vqspeech.files import atomic_write
from vqspeech.progress import progress, say

SAMPLE_RATE = 16000
FRAME_SECONDS = 0.01
WINDOW_SECONDS = 0.025625
# Wide enough that the path through the whole text is not lost on the way.
BEAMS = {"beam": 1e-300, "pbeam": 1e-300, "wbeam": 1e-300}
HISSES = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH"})


@dataclass
class AlignReport:
    """How many utterances have labels, and why others have none."""

    aligned: int = 0
    kept: int = 0
    """Aligned by an earlier run."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Utterance -> reason."""


class Aligner:
    """Finds the phones of known words in a recording, by the acoustic model and the dictionary of pocketsphinx.

    Raises NotInstalled without pocketsphinx.
    """

    def __init__(self) -> None:
        require(["pocketsphinx"], "pip install 'vqspeech[align]'")
        from pocketsphinx import Decoder

        # The best path through the lattice has an <s> and a </s> of one frame, which are too short for phones.
        self.decoder = Decoder(lm=None, samprate=SAMPLE_RATE, bestpath=False, loglevel="FATAL", **BEAMS)

    def align(self, waveform: np.ndarray, text: str) -> list[Phone]:
        """Return the phones of a waveform [T] of 16 kHz, silence included, to 10 ms.

        Raises VqspeechError for a text without words, for words without a pronunciation, and when the audio does not
        fit the text.
        """
        words = spoken_words(text)
        if not words:
            raise VqspeechError("a text without words")
        if unknown := [word for word in words if not self._knows(word)]:
            raise VqspeechError(f"no pronunciation of {', '.join(unknown)}")
        samples = (np.clip(waveform, -1, 1) * 32767).astype(np.int16).tobytes()
        try:
            # The first pass chooses among pronunciations and places pauses, the second places the phones.
            self.decoder.set_align_text(" ".join(words))
            self._decode(samples)
            self.decoder.set_alignment()
            self._decode(samples)
            entries = self.decoder.get_alignment()
        except RuntimeError:
            entries = None
        heard = [re.sub(r"\(\d+\)$", "", word.name) for word in entries or ()]
        if [word for word in heard if word[0] not in "<["] != words:
            raise VqspeechError("the audio does not fit the text")
        seconds = len(waveform) / SAMPLE_RATE
        return [
            Phone(_time(phone.start, seconds), _time(phone.start + phone.duration, seconds), plain_phone(phone.name))
            for word in entries
            for phone in word
        ]

    def _decode(self, samples: bytes) -> None:
        self.decoder.start_utt()
        self.decoder.process_raw(samples, full_utt=True)
        self.decoder.end_utt()

    def _knows(self, word: str) -> bool:
        """Tell whether there is a pronunciation; that of a possessive is made from its noun's."""
        if self.decoder.lookup_word(word):
            return True
        noun = word.removesuffix("'s")
        sounds = self.decoder.lookup_word(noun)
        if noun == word or not sounds:
            return False
        last = sounds.split()[-1]
        ending = "AH Z" if last in HISSES else "S" if last in VOICELESS else "Z"
        self.decoder.add_word(word, f"{sounds} {ending}", True)
        return True


def align_data_dir(data: DataDir, out: Path, force: bool = False) -> AlignReport:
    """Write `out/UTTERANCE.phn` for every utterance with a text, and `labels.scp` into the data directory.

    Times are those of the untrimmed recording, as labels have them: `utt2offset` is added. Label files that are there
    are kept, and so is a `labels.scp`, unless `force` is given. What cannot be aligned is left out and named.
    Raises VqspeechError for audio that cannot be read, for data without any text and when nothing can be aligned.
    """
    if not data.texts:
        raise VqspeechError(f"{data.path / 'text'}: no text to align with")
    aligner, report, found = Aligner(), AlignReport(), {}
    for utterance in progress(sorted(data.texts), "align", unit="utt"):
        path = out.resolve() / f"{utterance}.phn"
        if path.exists() and not force:
            report.kept += 1
        else:
            waveform = audio.read(data.wavs[utterance], SAMPLE_RATE)
            try:
                phones = aligner.align(waveform, data.texts[utterance])
            except VqspeechError as error:
                report.left_out[utterance] = str(error)
                say(f"left out {utterance}: {error}")
                continue
            _write_labels(path, phones, data.utt2offset.get(utterance, 0.0))
            report.aligned += 1
        found[utterance] = path
    if not found:
        utterance, reason = next(iter(report.left_out.items()))
        raise VqspeechError(f"{data.path}: no utterance could be aligned; {utterance}, for one: {reason}")
    _name_labels(data, found, force)
    say(f"align: {report.aligned} aligned, {report.kept} kept, {len(report.left_out)} left out")
    return report


def spoken_words(text: str) -> list[str]:
    """Return the words of a text as the dictionary writes them: `["it's", "half", "past"]` of `It's half-past!`."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def _time(frame: int, seconds: float) -> float:
    """Return when a frame begins: it speaks for the 10 ms in the middle of its window, the first for what is before."""
    return min(frame * FRAME_SECONDS + (WINDOW_SECONDS - FRAME_SECONDS) / 2, seconds) if frame else 0.0


def _write_labels(path: Path, phones: list[Phone], offset: float) -> None:
    with atomic_write(path) as file:
        for phone in phones:
            file.write(f"{phone.start + offset:.4f} {phone.end + offset:.4f} {phone.phone}\n")


def _name_labels(data: DataDir, labels: dict[str, Path], force: bool) -> None:
    table = data.path / "labels.scp"
    if table.exists() and not force:
        say(f"{table} is kept; --force replaces it")
        return
    with atomic_write(table) as file:
        file.writelines(f"{utterance} {path}\n" for utterance, path in labels.items())
