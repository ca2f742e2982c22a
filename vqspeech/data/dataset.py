"""Training crops: which stretch of which utterance step s takes is a function of the seed and s alone."""

import signal
from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vqspeech import audio
from vqspeech.config import TrainingConfig
from vqspeech.data.augment import pitch_shifted
from vqspeech.data.kaldi import DataDir
from vqspeech.data.phones import PhoneTargets
from vqspeech.errors import VqspeechError
from vqspeech.parallel import Part


class Batch(NamedTuple):
    """Equally long crops; a shorter utterance is padded with zeros on the right."""

    waveform: Tensor
    """`[B, T]` float32."""
    speaker: Tensor
    """`[B]` int64, rows of the speaker table."""
    length: Tensor
    """`[B]` int64, samples that are speech rather than padding."""
    heard: Tensor
    """`[B + P, T]` float32, what the encoder hears: the waveforms, or the same at another pitch, then P crops that the
    decoder is not to speak."""
    phones: Tensor = torch.zeros(0, 0, dtype=torch.int64)
    """`[B + P, N]` int64, the phone of every frame heard; N is 0 where training is not told phones."""


def speaker_table(data: DataDir) -> tuple[str, ...]:
    """The speakers of a data dir, sorted: row i of the embedding belongs to the i-th."""
    return tuple(data.speakers)


class Crops(Dataset[Batch]):
    """Item s is the batch of step s: crops drawn over all the speech of a data dir, as the training's settings say.

    They are `settings.crop` samples long. The encoder hears each up to `pitch_shift` semitones higher or lower, evenly
    drawn. With `phones` crops come with the phone of every frame.
    Raises VqspeechError for an utterance that cannot be read, and for a voice that the data dir has not.
    """

    def __init__(
        self,
        data: DataDir,
        speakers: tuple[str, ...],
        settings: TrainingConfig,
        sample_rate: int,
        phones: PhoneTargets | None = None,
    ) -> None:
        self.data, self.settings, self.sample_rate, self.phones = data, settings, sample_rate, phones
        self.crop = settings.crop
        self.ids = data.utterances
        if not self.ids:
            raise VqspeechError(f"{data.path}: no utterances to train on")
        rows = {name: row for row, name in enumerate(speakers)}
        unknown = sorted(set(data.utt2spk.values()) - rows.keys())
        if unknown:
            raise VqspeechError(f"{data.path}: speaker {unknown[0]} is not in the model's speaker table")
        self.speakers = [rows[data.utt2spk[id]] for id in self.ids]
        self.ends = np.cumsum(_chances(data, settings.voices, settings.voices_share))
        self.phone_ends = np.cumsum(_chances(data, (), 0.0)) if settings.phone_crops else self.ends
        self.items = range(settings.batch_size)
        self.phone_items = range(settings.batch_size, settings.batch_size + settings.phone_crops)

    def share(self, rank: int, ranks: int) -> "Crops":
        """The same batches, of which this rank takes its part; their content does not depend on the number of ranks."""
        for name, items in (("batch_size", self.items), ("phone_crops", self.phone_items)):
            if len(items) % ranks:
                raise VqspeechError(f"training.{name} {len(items)} cannot be shared among {ranks} devices")
        part = copy(self)
        own = Part(rank + 1, ranks)
        part.items = own.span(len(self.items))
        span = own.span(len(self.phone_items))
        part.phone_items = self.phone_items[span.start : span.stop]
        return part

    def __len__(self) -> int:
        return self.settings.max_steps

    def __getitem__(self, step: int) -> Batch:
        crops = [self._crop(step, item, self.ends) for item in self.items]
        crops += [self._crop(step, item, self.phone_ends) for item in self.phone_items]
        batch = Batch(*(torch.stack(parts) for parts in zip(*crops, strict=True)))
        spoken = len(self.items)
        return batch._replace(
            waveform=batch.waveform[:spoken], speaker=batch.speaker[:spoken], length=batch.length[:spoken]
        )

    def _crop(self, step: int, item: int, ends: np.ndarray) -> Batch:
        rng = np.random.default_rng([self.settings.seed, step, item])
        index = int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
        index = min(index, len(self.ids) - 1)
        id = self.ids[index]
        waveform, start = _read_crop(self.data, id, self.crop, self.sample_rate, rng.random())
        heard = waveform
        most = self.settings.pitch_shift
        if most:
            heard = pitch_shifted(waveform, rng.uniform(-most, most), self.sample_rate)
        length = len(waveform)
        waveform, heard = (torch.from_numpy(np.pad(w, (0, self.crop - length))) for w in (waveform, heard))
        phones = _phones(self.phones, id, start, self.crop)
        return Batch(waveform, torch.tensor(self.speakers[index]), torch.tensor(length), heard, phones)


def batches(crops: Crops, first: int, workers: int) -> Iterator[Batch]:
    """The batches of the steps from `first` on, read ahead by `workers` processes (0: in this one).

    Raises VqspeechError for an utterance that cannot be read, and when such a process was killed.
    """
    order = range(first, len(crops))
    before = signal.getsignal(signal.SIGCHLD)
    found = iter(DataLoader(_ErrorsAsItems(crops), batch_size=None, sampler=order, num_workers=workers))
    if workers:
        # By this signal PyTorch tells of a killed process in the middle of a step; without it, between two.
        signal.signal(signal.SIGCHLD, before)
    return _checked(found)


def _checked(found: Iterator[Batch | VqspeechError]) -> Iterator[Batch]:
    while True:
        try:
            item = next(found)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise VqspeechError(
                "a process that reads audio was killed, perhaps for want of memory: go on with --resume and fewer "
                "--training.workers"
            ) from error
        if isinstance(item, VqspeechError):
            raise item
        yield item


class _ErrorsAsItems(Dataset[Batch | VqspeechError]):
    """Crops whose errors are handed over: from another process they would come as text, with its traceback."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __getitem__(self, step: int) -> Batch | VqspeechError:
        try:
            return self.crops[step]
        except VqspeechError as error:
            return error


def held_out_crops(
    data: DataDir,
    speakers: tuple[str, ...],
    crop: int,
    sample_rate: int,
    seconds: float,
    phones: PhoneTargets | None = None,
) -> Batch:
    """Fixed crops of about `seconds` in all, one from the middle of each of several utterances, for evaluation.

    Only utterances of known speakers count, evenly spread over the data dir, the long enough ones first; a lone
    utterance gives both its ends. Raises VqspeechError when there is none.
    """
    rows = {name: row for row, name in enumerate(speakers)}
    known = [id for id in data.utterances if data.utt2spk[id] in rows]
    long_enough = [id for id in known if _seconds(data, id) * sample_rate > crop + 1]
    if len(long_enough) < 2:
        long_enough = known
    if not long_enough:
        raise VqspeechError(f"{data.path}: no utterance of the model's speakers")
    if len(long_enough) == 1:
        chosen, positions = long_enough * 2, [0.0, 0.999]
    else:
        count = min(len(long_enough), max(2, round(seconds * sample_rate / crop)))
        chosen = [long_enough[i * len(long_enough) // count] for i in range(count)]
        positions = [0.5] * count
    crops = [_read_crop(data, id, crop, sample_rate, at) for id, at in zip(chosen, positions, strict=True)]
    waveform = torch.stack([torch.from_numpy(np.pad(w, (0, crop - len(w)))) for w, _ in crops])
    return Batch(
        waveform,
        speaker=torch.tensor([rows[data.utt2spk[id]] for id in chosen]),
        length=torch.tensor([len(w) for w, _ in crops]),
        heard=waveform,
        phones=torch.stack([_phones(phones, id, start, crop) for id, (_, start) in zip(chosen, crops, strict=True)]),
    )


def _seconds(data: DataDir, id: str) -> float:
    return data.utt2dur[id] if id in data.utt2dur else audio.duration(data.wavs[id])


def _chances(data: DataDir, voices: Sequence[str], share: float) -> np.ndarray:
    """The share of the crops that each utterance gets."""
    seconds = np.array([_seconds(data, id) for id in data.utterances])
    spoken_by = np.array([data.utt2spk[id] for id in data.utterances])
    absent = [voice for voice in voices if voice not in spoken_by]
    if absent:
        raise VqspeechError(f"{data.path}: has no speech of {absent[0]} of training.voices")
    others = ~np.isin(spoken_by, list(voices))
    if not voices or not others.any():
        share = 1.0 if voices else 0.0
    chances = np.zeros(len(seconds))
    for own, part in [(others, 1 - share), *((spoken_by == voice, share / len(voices)) for voice in voices)]:
        chances[own] = part * seconds[own] / seconds[own].sum() if own.any() else 0
    return chances


def _phones(targets: PhoneTargets | None, id: str, start: int, samples: int) -> Tensor:
    return torch.zeros(0, dtype=torch.int64) if targets is None else torch.from_numpy(targets.of(id, start, samples))


def _read_crop(data: DataDir, id: str, crop: int, sample_rate: int, position: float) -> tuple[np.ndarray, int]:
    """Up to `crop` samples of an utterance, `position` in [0, 1) of the way along it, and the first one's number."""
    path = data.wavs[id]
    try:
        with soundfile.SoundFile(audio.content(path)) as file:
            if file.samplerate != sample_rate:
                raise VqspeechError(
                    f"{path}: {file.samplerate} Hz, but the model takes {sample_rate} Hz: run vqspeech-prepare"
                )
            start = file.seek(int(position * max(0, file.frames - crop + 1)))
            waveform = file.read(crop, dtype="float32", always_2d=True).mean(axis=1)
            expected = min(crop, file.frames)
    except (OSError, soundfile.SoundFileError) as error:
        raise VqspeechError(f"{id}: cannot read {path}: {error}") from error
    if len(waveform) < expected:
        raise VqspeechError(f"{id}: {path} is damaged or truncated: {len(waveform)} of {expected} samples can be read")
    if not len(waveform) or not np.isfinite(waveform).all():
        raise VqspeechError(f"{id}: {path} holds {'no samples' if not len(waveform) else 'samples that are NaN'}")
    return waveform, start
