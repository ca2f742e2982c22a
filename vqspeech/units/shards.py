"""The units of a long data dir in shards, so that an interruption loses one shard at most."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.audio import Pipe, Source
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.units.store import COUNTS, INFO, join_units, read_info, read_units, write_units


class Shards:
    """Units dirs of consecutive utterances, in a folder beside the units dir `out` that they become together.

    Each appears as a whole, named by the number of its first utterance. Its `units.json` has `skipped`, bad utterances
    and why, and `made_from`, by which a later run knows it as made by the same model from the same recordings.
    """

    def __init__(self, out: Path, info: Mapping[str, Any], data: DataDir) -> None:
        self.out, self.info, self.data = out, info, data
        place = out.resolve()
        self.folder = place.with_name(f".{place.name}.shards")

    def paths(self) -> list[Path]:
        """The shards, in the order of their utterances."""
        return sorted(self.folder.glob("[0-9]*"))

    def keep(self, span: range, skip_bad: bool) -> list[range]:
        """Keep the shards of use that begin in `span`; return the numbers of its utterances that are in none."""
        ids, end, missing = self.data.utterances, span.start, []
        for path in self.paths():
            first = int(path.name)
            if first < len(ids) and first not in span:
                continue  # another job's
            count = self._count(path, ids, first, skip_bad) if end <= first < len(ids) else 0
            if count:
                missing.append(range(end, first))
                end = first + count
            else:
                shutil.rmtree(path, ignore_errors=True)
        missing.append(range(end, span.stop))
        return [gap for gap in missing if gap]

    def add(self, first: int, units: dict[str, np.ndarray], skipped: dict[str, str]) -> None:
        """Write a shard: the units of the utterances from number `first` on, and those of them that are bad."""
        info = {**self.info, "skipped": skipped, "made_from": self._fingerprint(sorted([*units, *skipped]))}
        with atomic_folder(self.folder / f"{first:09d}") as folder:
            write_units(folder, info, units, self.data.utt2spk)

    def join(self) -> None:
        """Write the units dir and remove the shards.

        Raises VqspeechError when all utterances are bad, and when the shards are not all utterances, each once.
        """
        paths = self.paths()
        found = {path: read_info(path / INFO) for path in paths}
        skipped = {id: why for info in found.values() for id, why in info["skipped"].items()}
        end = 0
        for path, info in found.items():
            end += info["utterances"] + len(info["skipped"]) if int(path.name) == end else 0
        if end != len(self.data.utterances):
            raise VqspeechError(
                f"{self.folder}: has no units from utterance {end} on: another process was at work there"
            )
        if len(skipped) < len(self.data.wavs):
            join_units(self.out, {**self.info, "skipped": skipped}, paths)
        shutil.rmtree(self.folder, ignore_errors=True)
        if len(skipped) == len(self.data.wavs):
            raise VqspeechError(f"{self.data.path}: no utterance could be encoded")

    def _count(self, path: Path, ids: Sequence[str], first: int, skip_bad: bool) -> int:
        """Utterances of a shard that are those from `first` on, of the same recordings and model; 0 if of no use."""
        try:
            shard = read_units(path)
            skipped, made_from = shard.info["skipped"], shard.info["made_from"]
        except (VqspeechError, KeyError):
            return 0
        if not shard.info.keys() >= set(COUNTS):
            return 0  # of a version that did not count, which a join needs
        found = sorted([*shard.units, *skipped])
        wanted = ids[first : first + len(found)]
        if (skipped and not skip_bad) or found != list(wanted) or made_from != self._fingerprint(found):
            return 0
        return len(found)

    def _fingerprint(self, ids: Sequence[str]) -> str:
        """What differs for other units of these utterances: by another model or version, of other recordings."""
        facts = {key: value for key, value in self.info.items() if key not in ("model", "data")}
        recordings = [(id, *_state(self.data.wavs[id])) for id in ids]
        return hashlib.sha256(repr((facts, recordings)).encode()).hexdigest()


def _state(source: Source) -> tuple[object, ...]:
    """What changes when a recording does."""
    if isinstance(source, Pipe) or not source.is_file():
        return (str(source),)
    return str(source), source.stat().st_size, source.stat().st_mtime_ns
