"""The GPU's samplers, on the CPU: their arithmetic, not their speed, and nothing of races."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.synthesis.test_samplers import decoder, generators, speech
from vqspeech.models.output import mu_law_encode
from vqspeech.synthesis import sample
from vqspeech.synthesis.cuda import GraphSampler
from vqspeech.synthesis.reference import ReferenceSampler

COMPARE = """
import sys
import torch
from tests.synthesis.test_cuda import compare
compare(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
"""


@pytest.mark.parametrize("output", ["mulaw", "logistics"])
@pytest.mark.parametrize("kernel", [2, 3])
def test_the_recorded_step_equals_the_plain_one(output: str, kernel: int) -> None:
    net, (waveform, conditioning) = decoder(output=output, kernel=kernel), speech(3, 4)
    with torch.no_grad():
        gates = net.project(conditioning)
        plain, recorded = (kind(net, 3).predict(gates, waveform.t()) for kind in (ReferenceSampler, GraphSampler))
        assert torch.allclose(plain, recorded, atol=1e-5)
        uniform = torch.rand(80, 3, net.output.draws)
        drawn = [kind(net, 3).draw(gates, uniform, 0.8) for kind in (ReferenceSampler, GraphSampler)]
    assert torch.allclose(*drawn, atol=1e-4)


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize(
    ("output", "kernel", "temperature"), [("mulaw", 2, 0.8), ("mulaw", 3, 0), ("logistics", 2, 0.8)]
)
def test_the_triton_kernel_equals_the_plain_sampler(output: str, kernel: int, temperature: float) -> None:
    """In a process of its own: Triton interprets only if it is told so before it is imported."""
    command = [sys.executable, "-c", COMPARE, output, str(kernel), str(temperature)]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TRITON_INTERPRET": "1"}, cwd=root, check=False
    )
    assert done.returncode == 0, done.stderr


def compare(output: str, kernel: int, temperature: float) -> None:
    """Draw two frames in two calls with both samplers."""
    from vqspeech.synthesis.cuda import TritonSampler

    net, (_, conditioning) = decoder(output=output, kernel=kernel, layers=3, cycle=3, conditioning_hop=12), speech(2, 2)
    plain, ours = ReferenceSampler(net, 2), TritonSampler(net, 2)
    with torch.no_grad():
        for block in conditioning.split(1, dim=2):
            uniform = torch.rand(12, 2, net.output.draws, generator=torch.Generator().manual_seed(0))
            expected = plain.draw(net.project(block), uniform, temperature)
            drawn = ours.draw(net.project(block), uniform, temperature)
            assert torch.allclose(drawn, expected, atol=1e-4), (drawn, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("sampler", ["cuda-graph", "cuda-triton"])
def test_on_a_gpu(sampler: str) -> None:
    net, (_, conditioning) = decoder(residual=32, skip=64), speech(4, 20)
    plain = sample(net, conditioning, 0.8, generators(1, 2, 3, 4), sampler="reference")
    drawn = sample(net.cuda(), conditioning.cuda(), 0.8, generators(1, 2, 3, 4), sampler=sampler).cpu()
    assert (mu_law_encode(plain) == mu_law_encode(drawn)).float().mean() > 0.95
