"""vqspeech-convert: recordings, or a stream, in another voice."""

from pathlib import Path
from typing import Literal

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.config import SamplerName
from vqspeech.errors import UsageError
from vqspeech.parallel import Part


def convert(
    *,
    src: list[str] | None = None,
    speaker: str | None = None,
    out: Path | None = None,
    model: Path | None = None,
    format: Literal["wav", "flac", "ogg", "opus"] = "wav",
    temperature: float | None = None,
    seed: int = 0,
    sampler: SamplerName = "auto",
    whole: bool = False,
    nj: int | None = None,
    part: str | None = None,
    raw_rate: int | None = None,
    gain: float = 0.0,
    force: bool = False,
    list_speakers: bool = False,
) -> None:
    """Say what recordings say in the voice of a speaker that the model knows.

    Outputs have the loudness of their sources, and silence stays silence. Those that exist already are kept. One that
    fails does not keep the others from being made; at the end the exit code is 1 and a list says why.

    Args:
        src: recordings of any format that libsndfile reads, at any rate, with any number of channels: files, folders,
            globs, data directories; or - for a pipe that brings WAV, AU, AIFF or bare samples
        speaker: the voice, one that --list-speakers names, several parted by commas, or all
        out: file to write, .wav .flac .ogg or .opus, at the model's rate; or a folder, for
            OUT/SPEAKER/ and the tree of the sources; or - for a pipe, WAV, or bare 16-bit samples with --raw-rate
            (default, for one recording: ./SRC_SPEAKER.wav)
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        format: of the files in a folder
        temperature: 1 samples as the model learned to, lower is cleaner and duller, 0 takes the likeliest (default: the
            one that suited the model best on dev speech)
        seed: another seed, another rendering
        sampler: auto, the fastest; cpu, compiled, weights of 16 bits; cpu-float32, exact; reference, plain PyTorch;
            cuda-graph, cuda-triton on a GPU
        whole: decode a long recording as one stream; else it is cut at pauses, and all cores work on its parts
        nj: recordings to convert at once (default: as many as there are cores)
        part: J/N, the J-th of N parts of all conversions alone, for one of several jobs
        raw_rate: bare samples come through the pipe, 16 bits, little-endian, one channel, so many a second
        gain: decibels that bring the speech of a pipe to -23 dBFS, the level of training; files are measured
        force: make anew what exists
        list_speakers: print the voices of the model and end

    Example:
        vqspeech-convert --src a.wav --speaker p225
        vqspeech-convert --src recordings 'more/*/*.mp3' --speaker p225,p226 --out converted --format opus
        arecord -f S16_LE -r 16000 -t raw | vqspeech-convert --src - --raw-rate 16000 --speaker p225 --out - | aplay ...
    """
    folder = find_model(model)
    if list_speakers:
        import vqspeech

        print(*vqspeech.load(folder).speakers, sep="\n")
        return
    if src is None or speaker is None:
        raise UsageError("give --src FILE and --speaker NAME (or --list-speakers)")
    share = Part(1, 1) if part is None else Part.parse(part)
    import vqspeech
    from vqspeech.conversion.batch import convert_files
    from vqspeech.conversion.pipe import convert_through_pipe
    from vqspeech.conversion.plan import chosen_speakers, plan

    codec = vqspeech.load(folder, sampler=sampler)
    speakers = chosen_speakers(codec, speaker)
    if "-" in (*src, str(out)):
        if part is not None:
            raise UsageError("--part is of files, not of a pipe")
        convert_through_pipe(codec, src, speakers, out, raw_rate, gain, temperature, seed, force)
        return
    if raw_rate is not None or gain:
        raise UsageError("--raw-rate and --gain are of a pipe: files tell their rate, and are measured")
    conversions = plan(src, speakers, out, f".{format}")
    span = share.span(len(conversions))
    conversions = conversions[span.start : span.stop]
    for path in convert_files(codec, conversions, temperature, seed, cut=not whole, force=force, jobs=nj):
        print(path, flush=True)


def main() -> None:
    """Run the command."""
    run(convert)


if __name__ == "__main__":
    main()
