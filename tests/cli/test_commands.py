"""The commands as a user meets them, on a small model with random weights."""

import importlib
import inspect
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

import vqspeech
from tests.conftest import ROOT
from tests.speech import RATE, make_data_dir, voice
from tests.tiny import save_tiny_model, tiny_config
from vqspeech.hub import save_pretrained
from vqspeech.lock import locked
from vqspeech.models.vqvae import VQVAE
from vqspeech.settings import to_dict
from vqspeech.units.formats import FORMATS

COMMANDS = (
    "prepare",
    "shard",
    "align",
    "train",
    "units",
    "decode",
    "convert",
    "enroll",
    "evaluate",
    "train_prior",
    "sample",
    "export",
    "import_",
    "report",
    "demo",
)
SPEAKERS = ("x01", "x02")
Run = Callable[..., tuple[int, str, str]]
Remember = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder, SPEAKERS)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path) -> Run:
    """Run a command in an empty working folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VQSPEECH_MODEL", raising=False)

    def run(command: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [command, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(f"vqspeech.cli.{command}").main()
        captured = capfd.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def speech(path: Path, seconds: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(120, seconds, seed=0), RATE)
    return path


def program(command: str) -> str:
    """What the command is called."""
    return "vqspeech-" + command.strip("_").replace("_", "-")


def one_line(err: str) -> str:
    """The error, which has to be the only line besides those of progress."""
    errors = [line for line in err.splitlines() if not re.match(r"(convert|decode|units|prepare|train): \d", line)]
    assert len(errors) == 1, err
    return errors[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_every_flag_and_imports_nothing_heavy(command: str):
    script = (
        "import importlib, sys\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n"
        f"    importlib.import_module('vqspeech.cli.{command}').main()\n"
        "except SystemExit as ended:\n"
        "    heavy = {'torch', 'numpy', 'librosa', 'soundfile', 'sklearn', 'matplotlib', 'gradio'} & set(sys.modules)\n"
        "    sys.exit(f'imported {heavy}' if heavy else ended.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    name = program(command)
    assert f"usage: {name} " in done.stdout
    assert f"example:\n  {name} " in done.stdout
    # argparse shows a parameter without a text as its bare name.
    assert "None" not in done.stdout


def test_align_names_a_data_dir_without_texts(run: Run, tmp_path: Path):
    make_data_dir(tmp_path / "data")
    code, out, err = run("align", "--data", tmp_path / "data", "--out", tmp_path / "labels")
    assert (code, out) == (1, "")
    assert one_line(err) == f"vqspeech-align: error: {tmp_path / 'data' / 'text'}: no text to align with"
    assert not (tmp_path / "labels").exists()


def test_demo_without_gradio_names_the_extra(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    code, out, err = run("demo", "--model", model)
    assert (code, out) == (1, "")
    assert one_line(err) == "vqspeech-demo: error: not installed: gradio (pip install 'vqspeech[demo]')"


def test_demo_refuses_a_port_that_is_taken(run: Run, model: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = run("demo", "--model", model, "--port", port)
    assert (code, out) == (1, "")
    reason = f"cannot listen at 127.0.0.1:{port}: Address already in use; choose another --port"
    assert one_line(err) == f"vqspeech-demo: error: {reason}"
    code, out, err = run("demo", "--model", model, "--port", 2**16)
    assert (code, one_line(err)) == (2, "vqspeech-demo: error: --port 65536: give one of 0 to 65535")


def test_train_help_lists_the_settings(run: Run):
    _, out, _ = run("train", "--help")
    assert "--training.max_minutes" in out
    assert "--model.bottleneck.codes CODES" in out
    assert "K, the number of codes; of each stage for rvq. (default: 512)" in " ".join(out.split())


def test_convert_names_its_output_after_source_and_speaker(run: Run, model: Path, tmp_path: Path):
    source = tmp_path / "elsewhere" / "a.flac"
    source.parent.mkdir()
    soundfile.write(source, np.stack([voice(120, 0.31, seed=0)] * 2, axis=1), 2 * RATE)
    code, out, err = run("convert", "--src", source, "--speaker", "x02", "--model", model)
    assert (code, out) == (0, "a_x02.wav\n"), err
    info = soundfile.info(tmp_path / "a_x02.wav")
    assert (info.samplerate, info.channels, info.frames) == (RATE, 1, round(0.31 * RATE / 2))


def test_convert_is_reproducible_by_its_seed(run: Run, model: Path, tmp_path: Path):
    source = speech(tmp_path / "a.wav")
    for seed, name in ((1, "one.wav"), (1, "again.wav"), (2, "two.wav")):
        run("convert", "--src", source, "--speaker", "x01", "--model", model, "--seed", seed, "--out", name)
    one, again, two = ((tmp_path / name).read_bytes() for name in ("one.wav", "again.wav", "two.wav"))
    assert one == again != two


def test_convert_overwrites_only_when_asked(run: Run, model: Path, tmp_path: Path):
    source = speech(tmp_path / "a.wav")
    (tmp_path / "a_x01.wav").write_text("precious")
    arguments = ("--src", source, "--speaker", "x01", "--model", model)
    code, out, err = run("convert", *arguments)
    assert (code, out) == (0, "a_x01.wav\n")
    assert one_line(err) == "kept a_x01.wav as it was; -f makes anew what exists"
    assert (tmp_path / "a_x01.wav").read_text() == "precious"
    assert run("convert", *arguments, "-f")[0] == 0
    assert soundfile.info(tmp_path / "a_x01.wav").frames == soundfile.info(source).frames


def test_convert_mirrors_a_folder_in_every_voice_and_lists_what_failed(run: Run, model: Path, tmp_path: Path):
    speech(tmp_path / "in" / "a.wav")
    speech(tmp_path / "in" / "deep" / "b.flac")
    arguments = ("--src", "in", "--speaker", "all", "--model", model, "--out", "out", "--format", "opus", "--nj", 2)
    outputs = [f"out/{speaker}/{name}.opus" for name in ("a", "deep/b") for speaker in SPEAKERS]
    code, out, err = run("convert", *arguments)
    assert (code, out.splitlines()) == (0, outputs), err
    assert "4 converted, 0 kept, 0 failed: " in err
    (tmp_path / "in" / "c.wav").write_text("no audio")
    code, out, err = run("convert", *arguments)
    assert (code, out.splitlines()) == (1, outputs)
    assert err.splitlines()[-2:] == [
        "failed: in/c.wav: cannot be read as audio: Format not recognised",
        "vqspeech-convert: error: 2 of 6 conversions failed; the list is above",
    ]


def test_convert_in_parts_makes_every_output_once(run: Run, model: Path, tmp_path: Path):
    for name in "abc":
        speech(tmp_path / "in" / f"{name}.wav")
    made = []
    for part in ("1/2", "2/2"):
        arguments = ("--src", "in", "--speaker", "x01", "--model", model, "--out", "out", "--nj", 1, "--part", part)
        code, out, err = run("convert", *arguments)
        assert code == 0, err
        made.append(out.splitlines())
    assert made == [["out/x01/a.wav"], ["out/x01/b.wav", "out/x01/c.wav"]]


def test_convert_takes_what_a_shell_makes_of_a_wildcard(run: Run, model: Path, tmp_path: Path):
    sources = [speech(tmp_path / f"{name}.wav") for name in "ab"]
    code, out, err = run("convert", "--src", *sources, "--speaker", "x01", "--model", model, "--out", "out")
    assert (code, out) == (0, "out/x01/a.wav\nout/x01/b.wav\n"), err


def test_enroll_hands_over_what_it_was_told(run: Run, model: Path, tmp_path: Path, handed_over: Remember):
    told = handed_over("vqspeech.training.enroll", "enroll")
    clips = [speech(tmp_path / "clips" / name) for name in ("a.wav", "b/c.flac")]
    code, out, err = run(
        "enroll", "--name", "alice", "--wavs", "clips", "--model", model, "--out", "new", "--steps", 5, "--gate-biases"
    )
    assert (code, out) == (0, "new\n"), err
    paths = [clip.relative_to(tmp_path) for clip in clips]
    assert told == {
        "model": model,
        "name": "alice",
        "clips": paths,
        "out": Path("new"),
        "steps": 5,
        "seed": 0,
        "with_biases": True,
    }
    assert "no recordings there" in one_line(
        run("enroll", "--name", "a", "--wavs", "no*", "--model", model, "--out", "x")[2]
    )


def test_a_list_may_be_given_in_parts(run: Run, model: Path, tmp_path: Path, handed_over: Remember):
    told = handed_over("vqspeech.training.enroll", "enroll")
    clips = [speech(tmp_path / name) for name in ("a.wav", "b.wav")]
    code, out, err = run("enroll", "--name", "alice", "--wavs", "a.wav", "--wavs", "b.wav", "--model", model)
    assert (code, out) == (0, "alice\n"), err
    assert told["clips"] == [clip.relative_to(tmp_path) for clip in clips]


@pytest.mark.parametrize("flags", [["--gain", 12], ["--raw-rate", 16000]])
def test_flags_of_a_pipe_are_misuse_with_files(run: Run, model: Path, tmp_path: Path, flags: list[object]):
    speech(tmp_path / "a.wav")
    code, _, err = run("convert", "--src", "a.wav", "--speaker", "x01", "--model", model, *flags)
    assert (code, "--raw-rate and --gain are of a pipe" in one_line(err)) == (2, True)


def test_convert_lists_speakers_of_the_model_in_the_environment(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VQSPEECH_MODEL", str(model))
    assert run("convert", "--list-speakers") == (0, "x01\nx02\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--speaker", "x01"], 2, "give --src FILE and --speaker NAME"),
        (["--src", "a.wav", "--speaker", "x1"], 1, "knows no speaker 'x1'; did you mean x01"),
        (["--src", "a.wav", "--speaker", "../x"], 1, "unsafe id '../x'"),
        (["--src", "missing.wav", "--speaker", "x01"], 1, "missing.wav"),
        (["--src", "empty.wav", "--speaker", "x01"], 1, "empty.wav"),
        (["--src", "a.wav", "--speaker", "x01", "--temperature", "-1"], 1, "temperature -1.0"),
        (["--src", "a.wav", "--speaker", "x01", "--out", "a.txt"], 2, "--out a.txt: write one of .wav"),
        (["--src", "a.wav", "empty.wav", "--speaker", "x01"], 2, "give --out DIR"),
        (["--src", "-", "--speaker", "all", "--out", "-"], 2, "a pipe takes one file or -, one --speaker"),
        (["--src", "a.wav", "--speaker", "x01", "--seed", str(2**70)], 1, "does not fit into 64 bits"),
        (["--src", "a.wav", "--speaker", "x01", "--part", "3/2"], 2, "--part 3/2: give J/N"),
        (["--src", "-", "--speaker", "x01", "--out", "-", "--part", "1/2"], 2, "--part is of files"),
    ],
)
def test_convert_refuses_in_one_line(run: Run, model: Path, tmp_path: Path, arguments: list[str], code: int, says: str):
    speech(tmp_path / "a.wav")
    (tmp_path / "empty.wav").touch()
    ended, out, err = run("convert", "--model", model, *arguments)
    assert (ended, out) == (code, "")
    assert one_line(err).startswith("vqspeech-convert: error: ")
    assert says in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "empty.wav"]


@pytest.mark.parametrize("out", ["/proc/x.wav", "/dev/null/x.wav", "a.wav/x.wav", "folder.wav"])
def test_convert_tells_before_sampling_that_it_cannot_write(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
):
    monkeypatch.setattr("vqspeech.codec.Codec.convert", lambda *_, **__: pytest.fail("sampled"))
    (tmp_path / "folder.wav").mkdir()
    source = speech(tmp_path / "a.wav")
    code, _, err = run("convert", "--model", model, "--src", source, "--speaker", "x01", "-f", "--out", out)
    assert code == 1
    assert f"cannot write {out}: " in one_line(err)


def test_convert_refuses_a_model_without_codes(run: Run, tmp_path: Path):
    save_pretrained(tmp_path / "none", VQVAE(tiny_config(name="none").model, 2), SPEAKERS, {})
    code, _, err = run("convert", "--model", "none", "--src", speech(tmp_path / "a.wav"), "--speaker", "x01")
    assert code == 1
    assert "model none was trained without codes" in one_line(err)


def test_a_continuous_bottleneck_converts_but_has_no_units(run: Run, tmp_path: Path):
    save_pretrained(tmp_path / "vae", VQVAE(tiny_config(name="vae").model, 2), SPEAKERS, {})
    code, out, err = run("convert", "--model", "vae", "--src", speech(tmp_path / "a.wav"), "--speaker", "x01")
    assert (code, out) == (0, "a_x01.wav\n"), err
    make_data_dir(tmp_path / "data", utterances=1, seconds=0.11)
    code, _, err = run("units", "--model", "vae", "--data", "data", "--out", "units")
    assert code == 1
    assert "has no discrete units: its bottleneck, vae, is continuous" in one_line(err)
    code, _, err = run("demo", "--model", "vae")
    assert code == 1
    assert "has no discrete units: its bottleneck, vae, is continuous" in one_line(err)


def test_units_come_in_parts_and_a_last_command_joins_them(run: Run, model: Path, tmp_path: Path):
    make_data_dir(tmp_path / "data", SPEAKERS, utterances=2, seconds=0.1)
    flags = ("--model", model, "--data", "data", "--out", "units")
    for part in ("2/2", "1/2"):
        code, out, err = run("units", *flags, "--part", part)
        assert (code, out) == (0, ""), err
    assert not (tmp_path / "units").exists()
    code, out, err = run("units", *flags)
    assert (code, out) == (0, "units/units.txt\n")
    assert "4 of 4 utterances are encoded already" in err
    assert len((tmp_path / "units/units.txt").read_text().splitlines()) == 4


def test_a_part_is_of_a_corpus_that_is_there(run: Run):
    code, _, err = run("prepare", "--miniature", "--data", "data", "--dump", "dump", "--part", "1/2")
    assert (code, one_line(err)) == (2, "vqspeech-prepare: error: --part is of a --corpus that is there already")


def test_a_prior_is_trained_on_units_and_sampled_from(run: Run, model: Path, tmp_path: Path):
    make_data_dir(tmp_path / "data", utterances=2, seconds=0.5)
    assert run("units", "--model", model, "--data", "data", "--out", "units")[0] == 0
    settings = ("--training.max_steps", 3, "--model.width", 16, "--model.heads", 2)
    code, out, err = run("train_prior", "--units", "units", "--dev", "units", "--out", "prior", *settings)
    assert code == 0, err
    names = [line.split("\t")[0] for line in out.splitlines()]
    assert names == ["prior", "uniform", "histogram", "bigram", "autoregressive"]
    assert out.splitlines()[1] == "uniform\t4.000"  # 16 codes
    arguments = ("--model", model, "--prior", "prior", "--speaker", "x02", "--seconds", 0.2, "-n", 2)
    code, out, err = run("sample", *arguments, "--out", "samples")
    assert (code, out) == (0, "samples/x02/autoregressive-1.wav\nsamples/x02/autoregressive-2.wav\n"), err
    one, two = (soundfile.read(path)[0] for path in out.split())
    assert len(one) == len(two) == round(0.2 * RATE)
    assert not np.array_equal(one, two)
    # The units are there as well, and say the same.
    decoded = run("decode", "--model", model, "--units", "samples", "--speaker", "x02", "--out", "again")
    assert decoded[0] == 0
    assert np.array_equal(soundfile.read("again/x02/autoregressive-1.wav")[0], one)
    assert "holds units already" in one_line(run("sample", *arguments, "--out", "samples")[2])
    run("sample", *arguments, "--out", "same")
    assert (tmp_path / "same/units.txt").read_text() == (tmp_path / "samples/units.txt").read_text()
    (tmp_path / "samples/x02/mine.wav").write_bytes(b"")
    assert run("sample", *arguments[:-1], 1, "--scheme", "uniform", "-f")[:2] == (0, "samples/x02/uniform-1.wav\n")
    left = {path.name for path in (tmp_path / "samples/x02").iterdir()}
    assert left == {"uniform-1.wav", "mine.wav"}


def test_sampling_refuses_what_does_not_fit(run: Run, model: Path, tmp_path: Path):
    make_data_dir(tmp_path / "data", utterances=2, seconds=0.3)
    run("units", "--model", model, "--data", "data", "--out", "units")
    settings = ("--training.max_steps", 1, "--model.width", 16, "--model.heads", 2)
    assert run("train_prior", "--units", "units", "--dev", "units", "--out", "merged", "--merge", *settings)[0] == 0
    arguments = ("--model", model, "--speaker", "x01", "--out", "samples")
    for more, code, says in (
        (("--prior", "merged"), 1, "runs merged"),
        (("--prior", "nowhere"), 1, "not a prior"),
        (("--seconds", 0), 2, "give more than 0 seconds"),
        (("--top-p", 0), 2, "--top-p 0"),
        (("--scheme", "bigram"), 2, "is not one of"),
    ):
        ended, _, err = run("sample", *arguments, *more)
        assert (ended, says in one_line(err)) == (code, True), err
    run("train_prior", "--units", "units", "--dev", "units", "--out", "prior", *settings)
    prompt = speech(tmp_path / "a.wav", seconds=0.5)
    err = run("sample", *arguments, "--prior", "prior", "--prompt", prompt, "--seconds", 0.4)[2]
    assert "--seconds has to be more" in one_line(err)
    other = save_tiny_model(tmp_path / "other", SPEAKERS)
    other.bottleneck.start(torch.randn(100, 4))
    save_pretrained(tmp_path / "other", other, SPEAKERS, {})
    err = run("sample", *arguments[2:], "--model", "other", "--prior", "prior")[2]
    assert "other weights than this model's" in one_line(err)
    assert not (tmp_path / "samples").exists()


def test_units_go_out_and_come_back(run: Run, model: Path, tmp_path: Path):
    make_data_dir(tmp_path / "data", utterances=2, seconds=0.11)
    run("units", "--model", model, "--data", "data", "--out", "units")
    arguments = ("--units", "units", "--format", "espnet", "--dedup", "--data", "data", "--out", "espnet")
    assert run("export", *arguments)[:2] == (0, "espnet\n")
    assert "exists already" in one_line(run("export", *arguments)[2])
    assert run("export", *arguments, "-f")[0] == 0
    arguments = ("--source", "espnet", "--out", "back")
    assert run("import_", *arguments)[:2] == (0, "back/units.txt\n")
    assert "holds units already" in one_line(run("import_", *arguments)[2])
    assert run("import_", *arguments, "-f")[0] == 0
    assert (tmp_path / "back/units.txt").read_text() == (tmp_path / "units/units.txt").read_text()
    code, _, err = run("import_", "--source", "nowhere", "--out", "x")
    assert (code, "nowhere" in one_line(err)) == (1, True)
    code, _, err = run("export", "--units", "units", "--format", "kaldi", "--out", "x")
    assert code == 2
    assert "--format kaldi: there are kaldi-text, kaldi-ark, ctm" in one_line(err)
    assert "did you mean kaldi-ark" in err


def test_help_names_every_format(run: Run):
    _, out, _ = run("export", "--help")
    listed = re.search(r"--format FORMAT ([a-z, -]+) \(required\)", " ".join(out.split()))[1]
    assert re.split(r", | or ", listed) == list(FORMATS)


def test_all_splits_are_exported_with_the_bpe_of_training(run: Run, model: Path, tmp_path: Path):
    for split in ("train", "test"):
        make_data_dir(tmp_path / "data" / split, utterances=2, seconds=0.3 if split == "train" else 0.2)
        run("units", "--model", model, "--data", f"data/{split}", "--out", f"units/{split}")
    arguments = ("export", "--format", "gslm", "--dedup")
    learnt = ("--bpe", 18, "--bpe-units", "units/train")
    code, out, err = run(*arguments, "--units", "units/train", "--out", "train", *learnt)
    assert (code, out) == (0, "train\n"), err
    taken = ("--bpe-model", "train")
    code, out, err = run(*arguments, "--units", "units/test", "--out", "test", *taken)
    assert (code, out) == (0, "test\n"), err
    assert Path("test/bpe.model").read_bytes() == Path("train/bpe.model").read_bytes()
    assert run("import_", "--source", "test", "--out", "back")[0] == 0
    assert Path("back/units.txt").read_text() == Path("units/test/units.txt").read_text()
    for wrong, code, says in (
        (("--bpe", 18), 2, "--bpe N and --bpe-units DIR, the units of the training split, go together"),
        (("--bpe-units", "units/train"), 2, "go together"),
        ((*learnt, *taken), 2, "give either --bpe N, to learn one, or --bpe-model DIR"),
        (("--bpe-model", "units/train"), 1, "units/train: was exported without --bpe"),
        (("--bpe", 5, "--bpe-units", "units/train"), 1, "a BPE of 5 pieces is too small"),
    ):
        ended, _, err = run(*arguments, "--units", "units/test", "--out", "x", *wrong)
        assert (ended, says in one_line(err)) == (code, True), err
    assert not Path("x").exists()


def test_every_command_of_the_page_on_units(run: Run, tmp_path: Path):
    save_tiny_model(tmp_path / "exp/vctk_base")
    for split in ("train", "test"):
        make_data_dir(tmp_path / "data/vctk" / split, ("p225", "p226"), utterances=2, seconds=0.2)
    page = (ROOT / "docs/units.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 10
    for line in lines:
        # So few units of so short utterances make few pieces, and are not worth a second process.
        command, *arguments = shlex.split(line.replace("--bpe 2000", "--bpe 18").replace("--nj 2", "--nj 1"))
        name = command.removeprefix("vqspeech-").replace("import", "import_")
        code, _, err = run(name, *arguments)
        assert code == 0, f"{line}\n{err}"
    assert (tmp_path / "imported/test/units.txt").read_bytes() == (tmp_path / "units/test/units.txt").read_bytes()
    assert len(list(tmp_path.glob("wavs/p225/*.wav"))) == 1


def test_a_folder_without_a_model_is_named(run: Run, tmp_path: Path):
    code, _, err = run("convert", "--src", speech(tmp_path / "a.wav"), "--speaker", "x01", "--model", tmp_path)
    assert code == 1
    assert str(tmp_path) in one_line(err)


def test_units_and_back(run: Run, model: Path, tmp_path: Path):
    data = make_data_dir(tmp_path / "data", SPEAKERS, utterances=2, seconds=0.2).path
    code, _, err = run("units", "--model", model, "--data", data, "--out", "units", "--nj", 0)
    assert (code, "--nj 0: give at least one process" in one_line(err)) == (2, True)
    code, out, err = run("units", "--model", model, "--data", data, "--out", "units")
    assert (code, out) == (0, "units/units.txt\n"), err
    lines = [line.split() for line in (tmp_path / "units" / "units.txt").read_text().splitlines()]
    assert [id for id, *_ in lines] == ["x01_000", "x01_001", "x02_000", "x02_001"]
    assert all(len(units) == 3200 // 64 for _, *units in lines)

    arguments = ("--model", model, "--units", "units", "--out", "wavs")
    code, out, err = run("decode", *arguments, "--speaker", "source,x01", "--data", data, "--utterances", 2)
    assert (code, out) == (0, "wavs/wav.scp\n"), err
    wavs = sorted(str(path.relative_to("wavs")) for path in Path("wavs").glob("*/*.wav"))
    assert wavs == ["source/x01_000.wav", "source/x02_000.wav", "x01/x01_000.wav", "x01/x02_000.wav"]
    assert soundfile.info("wavs/x01/x02_000.wav").frames == 3200

    for format in ("espnet", "jsonl"):
        run("export", "--units", "units", "--format", format, "--dedup", "--out", format)
        again = ("--model", model, "--units", format, "--speaker", "x01", "--utterances", 2, "--out", f"{format}-wavs")
        assert run("decode", *again)[0] == 0
        assert Path(f"{format}-wavs/x01/x02_000.wav").read_bytes() == Path("wavs/x01/x02_000.wav").read_bytes()

    assert run("decode", *arguments, "--speaker", "source")[0] == 0
    Path("units/utt2spk").unlink()
    code, _, err = run("decode", *arguments, "--speaker", "source")
    assert code == 2
    assert "--speaker source needs --data DIR" in one_line(err)


def test_decode_compares_the_units_with_the_model(run: Run, model: Path, tmp_path: Path):
    data = make_data_dir(tmp_path / "data", SPEAKERS, utterances=1, seconds=0.05).path
    assert run("units", "--model", model, "--data", data, "--out", "units")[0] == 0
    arguments = ("decode", "--units", "units", "--speaker", "x01", "--out", "wavs", "--model")
    code, _, err = run(*arguments, model)
    assert code == 0 and "warning" not in err
    assert "kept 2 of 2 wavs, which exist in wavs already; -f makes them anew" in run(*arguments, model)[2]

    save_tiny_model(tmp_path / "other", (*SPEAKERS, "x03"))
    code, _, err = run(*arguments, "other", "-f")
    assert code == 0
    assert "warning: units units were made by other weights than those of other" in err

    info = json.loads(Path("units/units.json").read_text())
    for key in ("codes", "hop", "sample_rate"):
        Path("units/units.json").write_text(json.dumps(info | {key: 2 * info[key]}))
        code, _, err = run(*arguments, model, "-f")
        assert code == 1
        assert f"units units have {key} {2 * info[key]}, model {model} has {info[key]}" in one_line(err)


def test_units_replaces_other_units_only_when_asked(run: Run, model: Path, tmp_path: Path):
    data = make_data_dir(tmp_path / "data", SPEAKERS, utterances=1, seconds=0.05).path
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "units.txt").write_text("precious")
    arguments = ("units", "--model", model, "--data", data, "--out", "units")
    code, _, err = run(*arguments)
    assert code == 1
    assert "replace them with -f" in one_line(err)
    assert (tmp_path / "units" / "units.txt").read_text() == "precious"
    assert run(*arguments, "-f")[0] == 0


def test_an_unknown_setting_is_a_usage_error_that_names_the_near_one(run: Run, tmp_path: Path):
    (tmp_path / "a.yaml").write_text("model:\n  bottleneck:\n    code: 8\n")
    arguments = ("--config", "a.yaml", "--train", "train", "--dev", "dev", "--out", "out")
    code, _, err = run("train", *arguments)
    assert code == 2
    assert one_line(err).startswith("vqspeech-train: error: a.yaml: ")
    assert "'code'; did you mean codes" in err
    (tmp_path / "a.yaml").write_text("")
    code, _, err = run("train", *arguments, "--model.bottleneck.codes", "many")
    assert code == 2
    assert "codes: expected int, found 'many'" in one_line(err)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> Remember:
    """Replace a function by one that accepts the same arguments and only remembers them."""

    def handed_over(module: str, name: str) -> dict[str, Any]:
        real = inspect.signature(getattr(importlib.import_module(module), name))
        remembered: dict[str, Any] = {}
        monkeypatch.setattr(
            f"{module}.{name}",
            lambda *args, **options: remembered.update(real.bind(*args, **options).arguments),
        )
        return remembered

    return handed_over


def test_train_hands_over_what_it_was_told(run: Run, tmp_path: Path, handed_over: Remember):
    told = handed_over("vqspeech.training.vqvae", "train")
    (tmp_path / "a.yaml").write_text("training: {max_minutes: 9, seed: 7}\n")
    arguments = (
        "--config a.yaml --train t --dev d --out o --resume --init i --init-part decoder --devices 2 --accelerator cpu"
    )
    code, out, _ = run("train", *arguments.split(), "--training.max_minutes", 5)
    assert (code, out) == (0, "o\n")
    config = told.pop("config")
    assert (config.training.max_minutes, config.training.seed) == (5.0, 7)
    folders = {"train": Path("t"), "dev": Path("d"), "out": Path("o"), "init": Path("i")}
    assert told == {**folders, "resume": True, "init_part": "decoder", "devices": 2, "nodes": 1, "accelerator": "cpu"}


def test_evaluate_hands_over_what_it_was_told(run: Run, handed_over: Remember):
    told = handed_over("vqspeech.evaluation.runner", "evaluate")
    arguments = "--model m --data d --train-data t --out o --no-codes n --units-only --copies 3 --seconds 2"
    code, out, _ = run("evaluate", *arguments.split())
    assert (code, out) == (0, "o/RESULTS.md\n")
    folders = {
        "model": Path("m"),
        "data": Path("d"),
        "train_data": Path("t"),
        "out": Path("o"),
        "no_codes": Path("n"),
    }
    expected = {**folders, "units_only": True, "copies": 3, "seconds": 2.0, "skip_bad": False, "unseen": None}
    assert expected.items() <= told.items()
    assert "abx" in told["measures"] and "words" in told["measures"]
    run("evaluate", *arguments.split(), "--measures", "codes,abx")
    assert told["measures"] == ["codes", "abx"]


def test_report_replaces_a_page_only_when_asked(run: Run, model: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    assert run("report", model, "--out", page) == (0, f"{page}\n", "")
    page.write_text("mine")
    code, out, err = run("report", model, "--out", page)
    assert (code, out) == (1, "")
    assert one_line(err) == (
        f"vqspeech-report: error: {page} is there already; replace it with -f, or name another file with --out"
    )
    assert page.read_text() == "mine"
    assert run("report", model, "--out", page, "--force")[0] == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    code, _, err = run("report", tmp_path)
    assert (code, one_line(err)) == (
        1,
        f"vqspeech-report: error: {tmp_path}: not a model folder: it has no config.json",
    )


def test_prepare_makes_data_directories_of_a_folder_of_speakers(run: Run, tmp_path: Path):
    for speaker in ("anna", "bela", "cleo"):
        for number in range(4):
            speech(tmp_path / "corpus" / speaker / f"{number}.wav", seconds=0.5 + 0.1 * number)
    (tmp_path / "corpus" / "bela" / "4.wav").write_bytes(b"RIFF")
    arguments = ("--corpus", "corpus", "--data", "data", "--dump", "dump")
    code, out, err = run("prepare", *arguments)
    assert (code, out) == (1, "")
    assert "bela/4.wav" in one_line(err)
    assert not Path("data").exists()
    code, out, err = run("prepare", *arguments, "--skip-bad")
    assert (code, out) == (0, "data\n"), err
    for name in ("train", "dev", "test"):
        assert (tmp_path / "data" / name / "wav.scp").read_text()


def test_prepare_runs_no_pipe_unless_allowed(run: Run, tmp_path: Path):
    corpus = make_data_dir(tmp_path / "corpus", ("anna", "bela", "cleo"), utterances=4).path
    scp = corpus / "wav.scp"
    scp.write_text(re.sub(" (.*)", r" touch ran; cat \1 |", scp.read_text()))
    arguments = ("--corpus", corpus, "--data", "data", "--dump", "dump")
    code, _, err = run("prepare", *arguments)
    assert code == 1
    assert re.search(r"wav\.scp:1: .*--allow-pipes", one_line(err))
    assert not Path("ran").exists()
    assert run("prepare", *arguments, "--allow-pipes")[0] == 0
    assert Path("ran").exists()


def test_shard_moves_audio_into_archives(run: Run, tmp_path: Path):
    data = make_data_dir(tmp_path / "data", utterances=1, seconds=0.1)
    arguments = ("--data", data.path, "--dump", "dump", "--out", "sharded")
    code, out, err = run("shard", *arguments)
    assert (code, out) == (0, "sharded\n"), err
    assert (tmp_path / "sharded/wav.scp").read_text().startswith(f"a_000 {tmp_path}/dump/000000.tar:512\n")
    code, _, err = run("shard", *arguments)
    assert code == 1
    assert (
        one_line(err) == "vqspeech-shard: error: cannot write sharded: it exists already; remove it or choose "
        "another place"
    )


def test_prepare_wants_one_corpus(run: Run):
    for sources in ([], ["--miniature", "--download", "x"], ["--corpus", "x", "--download", "y"]):
        code, _, err = run("prepare", "--data", "data", "--dump", "dump", *sources)
        assert code == 2
        assert "give one of --corpus DIR, --miniature and --download DIR" in one_line(err)


def test_every_command_tells_its_version(run: Run):
    for command in COMMANDS:
        assert run(command, "--version") == (0, f"{program(command)} {vqspeech.__version__}\n", "")


def test_train_and_prepare_refuse_a_folder_that_another_process_writes(run: Run, tmp_path: Path):
    data = make_data_dir(tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(to_dict(tiny_config())))
    prepare = ("prepare", "--corpus", data.path, "--data", "made", "--dump", "dump")
    train = ("train", "--config", "tiny.yaml", "--train", data.path, "--dev", data.path, "--out", "out")
    for command, folder in ((prepare, Path("dump")), (train, Path("out/train"))):
        with locked(folder):
            code, _, err = run(*command)
        assert code == 1
        assert f"{folder}: in use by process {os.getpid()} on " in one_line(err)
