"""vqspeech-enroll: a voice more for a trained model."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.files import check_id


def enroll(
    *,
    name: str,
    wavs: list[str],
    out: Path | None = None,
    model: Path | None = None,
    gate_biases: bool = False,
    steps: int = 300,
    seed: int = 0,
) -> None:
    """Add a target voice to a model from half a minute of speech or more: its speaker embedding is fitted, no more.

    The other voices stay bit for bit as they were. It takes minutes on a CPU. The result is a model folder of its own.
    Enrol only voices whose owners agreed.

    Args:
        name: what the voice is to be called
        wavs: recordings of that one speaker, in any format: files, folders, globs or data directories
        out: folder to write, which must not exist (default: ./NAME)
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        gate_biases: fit a bias for every gate of the decoder as well, which takes twice as long; worth trying from a
            minute of speech on
        steps: of fitting, on half a second of speech each
        seed: of the order in which the speech is taken

    Example:
        vqspeech-enroll --name alice --wavs recordings/alice
        vqspeech-convert --model alice --src a.wav --speaker alice
        vqspeech-enroll --name alice --wavs recordings/alice --model exp/vctk_base --out exp/vctk_base_alice
        vqspeech-convert --model exp/vctk_base_alice --src a.wav --speaker alice
    """
    folder = find_model(model)
    from vqspeech.conversion.sources import find_recordings
    from vqspeech.training.enroll import enroll as enroll_voice

    out = out or Path(check_id(name))
    enroll_voice(folder, name, [recording.path for recording in find_recordings(wavs)], out, steps, seed, gate_biases)
    print(out)


def main() -> None:
    """Run the command."""
    run(enroll)


if __name__ == "__main__":
    main()
