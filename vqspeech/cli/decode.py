"""vqspeech-decode: discrete units become audio, in any of the model's voices."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.config import SamplerName
from vqspeech.errors import UsageError


def decode(
    *,
    units: Path,
    speaker: str,
    out: Path,
    model: Path | None = None,
    data: Path | None = None,
    utterances: str | None = None,
    temperature: float | None = None,
    seed: int = 0,
    sampler: SamplerName = "auto",
    force: bool = False,
) -> None:
    """Speak units: OUT/<speaker>/<utterance>.wav for each, and OUT/wav.scp, which lists them.

    Wavs that exist already are kept and counted.

    Args:
        units: folder that vqspeech-units wrote, or what vqspeech-export made of it in any format
        speaker: a voice of the model, several parted by commas, or `source`, the utterance's own speaker
        out: folder for the wavs
        model: model folder (default: $VQSPEECH_MODEL)
        data: data directory that says who spoke each utterance, for --speaker source, where the units do not tell
        utterances: how many utterances, evenly spread, or a file with an id a line (default: all)
        temperature: 1 samples as the model learned to, lower is cleaner and duller, 0 takes the likeliest (default: the
            one that suited the model best on dev speech)
        seed: another seed, another rendering
        sampler: auto, the fastest; cpu, compiled, weights of 16 bits; cpu-float32, exact; reference, plain PyTorch;
            cuda-graph, cuda-triton on a GPU
        force: make wavs anew that exist already

    Example:
        vqspeech-decode --model exp/vctk_base --units exp/vctk_base/units/test --speaker p225,p226 --out wavs
        vqspeech-decode --model exp/vctk_base --units exported/test --speaker p225 --out wavs
        vqspeech-decode ... --speaker source --data data/vctk/test --utterances 10
    """
    folder = find_model(model)
    voices = speaker.split(",")
    import vqspeech
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.model import check_model
    from vqspeech.units.resynthesise import choose, resynthesise
    from vqspeech.units.transfer import read_units_or_export

    stored = read_units_or_export(units)
    speakers = read_data_dir(data).utt2spk if data else stored.speakers
    if "source" in voices and not speakers:
        raise UsageError("--speaker source needs --data DIR, the data directory that says who spoke")
    codec = vqspeech.load(folder, sampler=sampler)
    check_model(codec, stored.info, units)
    resynthesise(
        codec,
        {id: stored.units[id] for id in choose(stored.units, utterances)},
        voices,
        out,
        utt2spk=speakers,
        temperature=temperature,
        seed=seed,
        force=force,
    )
    print(out / "wav.scp")


def main() -> None:
    """Run the command."""
    run(decode)


if __name__ == "__main__":
    main()
