import json
from pathlib import Path

import pytest

from vqspeech.evaluation.comparison import plot, read_run, table

DEV = {"split": "dev", "minutes": 1.0}


def make_run(folder: Path, name: str, results: dict, bits: float) -> Path:
    (folder / "train").mkdir(parents=True)
    (folder / "results").mkdir()
    config = {
        "model": {"sample_rate": 16000, "bottleneck": {"name": name}},
        "notes": {"training": {"batch_size": 2, "crop": 3840}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    log = [{"split": "train", "step": step, "samples_per_second": speed} for step, speed in ((5, 1e4), (10, 76800.0))]
    log += [{"split": "train", "step": 15, "samples_per_second": 1e6}, DEV | {"step": 10, "bits_true": 4.5}]
    log += [DEV | {"step": 20, "bits_true": bits}]
    (folder / "train" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    (folder / "results" / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def vq(tmp_path: Path) -> Path:
    results = {
        "bits": {"true": 3.5},
        "bound": {
            "drawn": False,
            "given_codes": 3.5,
            "codes": {"uniform": 0.14, "histogram": 0.13, "autoregressive": 0.07},
            "bound": {"uniform": 3.64, "histogram": 3.63, "autoregressive": 3.57},
        },
        "codes": {"in_use": 500, "perplexity": 300.0, "bitrate": {"entropy": 2100.0}},
        "phones": {"accuracy": 0.314},
    }
    return make_run(tmp_path / "vq-1", "vq", results, 3.5)


@pytest.fixture
def vae(tmp_path: Path) -> Path:
    missing = {"missing": "continuous"}
    bound = {"drawn": True, "given_codes": 3.25, "codes": {"normal": 0.5}, "bound": {"normal": 3.75}}
    results = {"bits": {"true": 3.2}, "bound": bound, "codes": missing, "phones": missing}
    return make_run(tmp_path / "vae-1", "vae", results, 3.2)


def test_one_line_for_each_bottleneck_with_the_spread_over_seeds(vq: Path, vae: Path) -> None:
    first = read_run(vq)
    assert first.seconds_per_step == pytest.approx(0.1)
    path = vq / "results" / "results.json"
    path.write_text(path.read_text().replace("3.57", "3.61").replace("0.314", "0.3"))
    lines = table([first, read_run(vq), read_run(vae)]).splitlines()
    assert lines[2].split(" | ")[1:9] == [
        "3.50 (0.00)",
        "3.64 (0.00)",
        "3.63 (0.00)",
        "3.59 (0.04)",
        "2100 (0)",
        "500 (0)",
        "300 (0)",
        "30.7 % (1.4 %)",
    ]
    # The normal prior is given beforehand, as the uniform one; half a bit a sample is 8,000 bits a second.
    assert lines[3].split(" | ")[:6] == ["| `vae`", "3.25", "3.75", "-", "-", "8000"]
    assert len(lines) == 4


def test_the_plot_is_drawn(vq: Path, vae: Path, tmp_path: Path) -> None:
    plot([read_run(vq), read_run(vae)], tmp_path / "plots" / "bits.png")
    assert (tmp_path / "plots" / "bits.png").read_bytes().startswith(b"\x89PNG")
