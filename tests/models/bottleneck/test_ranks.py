import socket
import subprocess
import sys

import torch

from tests.conftest import ROOT
from vqspeech.models.bottleneck.ranks import choose_rows, draw_codes


def test_two_ranks_with_half_the_batch_each_do_what_one_does_with_all_of_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.two_ranks", port]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""


def test_codes_are_drawn_by_their_chances() -> None:
    torch.manual_seed(0)
    chances = torch.tensor([[0.0, 0.2, 0.0, 0.8], [0.5, 0.5, 0.0, 0.0]])
    drawn = draw_codes(chances, 20_000)
    shares = torch.stack([torch.bincount(row, minlength=4) for row in drawn]) / 20_000
    assert torch.allclose(shares, chances, atol=0.015)
    assert (shares[chances == 0] == 0).all()


def test_chosen_rows_differ_from_each_other() -> None:
    rows = torch.arange(5.0).unsqueeze(1)
    assert choose_rows(rows, 9).flatten().sort().values.tolist() == [0, 1, 2, 3, 4]
    assert len(choose_rows(rows, 2).unique()) == 2
