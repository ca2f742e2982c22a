"""vqspeech-convert: a recording in another voice."""

import tempfile
from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.config import SamplerName
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.files import check_id
from vqspeech.progress import meter


def convert(
    *,
    src: Path | None = None,
    speaker: str | None = None,
    out: Path | None = None,
    model: Path | None = None,
    temperature: float | None = None,
    seed: int = 0,
    sampler: SamplerName = "auto",
    whole: bool = False,
    force: bool = False,
    list_speakers: bool = False,
) -> None:
    """Say what a recording says in the voice of a speaker that the model knows.

    Args:
        src: the recording, of any format that libsndfile reads, at any rate, with any number of channels
        speaker: the voice, one that --list-speakers names
        out: file to write, .wav .flac .ogg or .opus, at the model's rate (default: ./SRC_SPEAKER.wav)
        model: model folder (default: $VQSPEECH_MODEL)
        temperature: 1 samples as the model learned to, lower is cleaner and duller, 0 takes the likeliest (default: the
            one that suited the model best on dev speech)
        seed: another seed, another rendering
        sampler: auto, the fastest; cpu, compiled, weights of 16 bits; cpu-float32, exact; reference, plain PyTorch;
            cuda-graph, cuda-triton on a GPU
        whole: decode a long recording as one stream; else it is cut at pauses, and all cores work on its parts
        force: overwrite a file that exists
        list_speakers: print the voices of the model and end

    Example:
        vqspeech-convert --src a.wav --speaker p225
        VQSPEECH_MODEL=exp/vctk_base vqspeech-convert --src a.mp3 --speaker p225 --out b.flac
    """
    folder = find_model(model)
    if list_speakers:
        import vqspeech

        print(*vqspeech.load(folder).speakers, sep="\n")
        return
    if src is None or speaker is None:
        raise UsageError("give --src FILE and --speaker NAME (or --list-speakers)")
    out = out or Path(f"{src.stem}_{check_id(speaker)}.wav")
    if out.exists() and not force:
        raise VqspeechError(f"{out} exists already; overwrite it with -f, or name another with --out")
    import vqspeech
    from vqspeech import audio

    # What can be told now is told before minutes of sampling.
    if out.suffix.lower() not in audio.WRITTEN_FORMATS:
        raise UsageError(f"--out {out}: write one of {' '.join(audio.WRITTEN_FORMATS)}")
    _check_writable(out)
    codec = vqspeech.load(folder, sampler=sampler)
    codec.require_codes(discrete=False)
    codec.speaker_index(speaker)
    rate = codec.sample_rate
    # The file is read twice, once for its level, so that an hour takes no more memory than a minute.
    gain = audio.level_gain_of_blocks(audio.read_blocks(src, rate), rate)
    with meter("convert", round(audio.duration(src)), "s of audio") as show:
        converted = codec.convert_blocks(
            audio.read_blocks(src, rate),
            speaker,
            gain,
            temperature,
            seed,
            cut=not whole,
            heard=lambda seconds: show(round(seconds)),
        )
        audio.write(out, converted, rate)
    print(out)


def _check_writable(out: Path) -> None:
    """Raise VqspeechError when `out` is no plain file or nothing can be written where it is to lie."""
    if out.exists() and not out.is_file():
        raise VqspeechError(f"cannot write {out}: it is not a plain file")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    try:
        # Permissions do not tell: a read-only or virtual file system refuses whatever they say.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise VqspeechError(f"cannot write {out}: {folder}: {error.strerror}") from error


def main() -> None:
    """Run the command."""
    run(convert)


if __name__ == "__main__":
    main()
