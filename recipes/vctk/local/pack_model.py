#!/usr/bin/env python3
"""Pack a model for distribution: pack_model.py exp/box exp/box/packed --speakers p225 slt.

The decoder, which is sampled with weights of 16 bits, is stored in 16 bits (bfloat16); encoder and codes keep their 32,
since a rounded encoder gives other codes. The table of speakers keeps the voices named.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vqspeech.files import atomic_folder
from vqspeech.hub import CONFIG, WEIGHTS, from_pretrained

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--speakers", nargs="+", required=True, help="voices to keep, in this order")
arguments = parser.parse_args()

weights = load_file(arguments.model / WEIGHTS)
config = json.loads((arguments.model / CONFIG).read_text(encoding="utf-8"))
unknown = sorted(set(arguments.speakers) - set(config["speakers"]))
if unknown:
    parser.error(f"{arguments.model} has no speaker {unknown[0]}")
if config["model"]["decoder"].get("voices"):
    parser.error(f"{arguments.model} has enrolled voices: pack the model that they were enrolled to")
rows = [config["speakers"].index(name) for name in arguments.speakers]
weights["speakers.weight"] = weights["speakers.weight"][rows]
for name in weights:
    if name.startswith("decoder.") and weights[name].dtype == torch.float32:
        weights[name] = weights[name].bfloat16()
config["speakers"] = arguments.speakers
# A folder of the machine that trained it says nothing elsewhere.
config["notes"].pop("train_data", None)
with atomic_folder(arguments.out) as new:
    save_file(weights, new / WEIGHTS)
    (new / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
from_pretrained(arguments.out)
size = (arguments.out / WEIGHTS).stat().st_size / 1e6
print(f"{arguments.out}: {size:.1f} MB, voices {' '.join(arguments.speakers)}")
