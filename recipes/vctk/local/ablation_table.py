#!/usr/bin/env python3
"""Codes in use of the runs in a folder, as Markdown: ablation_table.py exp/ablation."""

import json
import sys
from pathlib import Path

print("| safeguards | seed | codes in use | perplexity | bits per sample |")
print("| --- | --- | --- | --- | --- |")
for log in sorted(Path(sys.argv[1]).glob("*/train/metrics.jsonl"), key=lambda log: log.stat().st_mtime):
    name, seed = log.parent.parent.name.rsplit("-", 1)
    config = json.loads((log.parent.parent / "config.json").read_text(encoding="utf-8"))
    last = [line for line in map(json.loads, log.open(encoding="utf-8")) if line["split"] == "dev"][-1]
    in_use = f"{last['codes_in_use']} of {config['model']['bottleneck']['codes']}"
    print(f"| {name} | {seed} | {in_use} | {last['perplexity']:.0f} | {last['bits_true']:.2f} |")
