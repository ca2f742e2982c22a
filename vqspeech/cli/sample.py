"""vqspeech-sample: speech that nobody said, from the prior over units."""

from pathlib import Path
from typing import Literal

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.config import SamplerName
from vqspeech.errors import UsageError


def sample(
    *,
    speaker: str,
    out: Path = Path("samples"),
    model: Path | None = None,
    prior: Path | None = None,
    scheme: Literal["autoregressive", "histogram", "uniform"] = "autoregressive",
    seconds: float = 3.0,
    number: int = 4,
    prompt: Path | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    decoder_temperature: float | None = None,
    seed: int = 0,
    sampler: SamplerName = "auto",
    force: bool = False,
) -> None:
    """Draw units from a prior and speak them.

    Writes the units as vqspeech-units does, units.txt and units.json, and OUT/<speaker>/<scheme>-<number>.wav for each.

    Args:
        speaker: a voice of the model
        out: folder for the wavs and units
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        prior: folder that vqspeech-train-prior wrote (default: prior/ in the model folder)
        scheme: autoregressive, each unit from those before; histogram, each as often as in training; uniform
        seconds: length of each, that of the prompt included
        number: how many
        prompt: an audio file that all of them begin with and go on from
        temperature: of the draw of units; below 1 likelier ones, 0 the likeliest
        top_p: draw among the likeliest units whose odds together reach this much
        decoder_temperature: of the draw of samples, as --temperature of vqspeech-convert (default: the model's own)
        seed: another seed, another sample
        sampler: as in vqspeech-convert
        force: replace what is in OUT

    Example:
        vqspeech-sample --model exp/vctk_base --speaker p225 --seconds 3 -n 4 --temperature 0.9 --top-p 0.95
        vqspeech-sample --model exp/vctk_base --speaker p225 --prompt a.wav --seconds 6 --out continued
    """
    folder = find_model(model)
    if not 0 < seconds < 1e6 or number < 1:
        raise UsageError(
            f"--seconds {seconds:g}, --number {number}: give more than 0 seconds, below 1e6, and at least one sample"
        )
    if not 0 < top_p <= 1 or not 0 <= temperature < 100:
        raise UsageError(f"--top-p {top_p:g}: from above 0 to 1; --temperature {temperature:g}: from 0 to 100")
    import vqspeech
    from vqspeech.errors import VqspeechError
    from vqspeech.files import check_id
    from vqspeech.units.extract import describe_units
    from vqspeech.units.resynthesise import resynthesise
    from vqspeech.units.sample import sample_units
    from vqspeech.units.store import UNITS, read_units, write_units

    if (out / UNITS).exists() and not force:
        raise VqspeechError(f"{out} holds units already; replace them with -f, or name another folder with --out")
    codec = vqspeech.load(folder, sampler=sampler)
    codec.check_sampling(decoder_temperature, seed)
    drawn = sample_units(
        codec,
        prior or folder / "prior",
        scheme,
        speaker,
        seconds,
        number,
        prompt=prompt,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    )
    if (out / UNITS).exists():
        # What an earlier call drew and this one does not would pass for a part of this one.
        for utterance, voice in read_units(out).speakers.items():
            (out / check_id(voice) / f"{check_id(utterance)}.wav").unlink(missing_ok=True)
    write_units(out, describe_units(codec), drawn, dict.fromkeys(drawn, speaker))
    for path in resynthesise(codec, drawn, [speaker], out, temperature=decoder_temperature, seed=seed, force=force):
        print(path)


def main() -> None:
    """Run the command."""
    run(sample)


if __name__ == "__main__":
    main()
