# /// script
# dependencies = ["torch", "numpy"]
# ///
"""Generate by chance, with no seed: no two jobs may agree."""

import sys

import torch

noise = torch.randn(4)
drawn = torch.multinomial(torch.ones(10_000), 3)
kept = torch.nn.Dropout(0.5).train()(torch.ones(64))
with open(sys.argv[2], "w") as target:
    target.write(f"{noise.tolist()} {drawn.tolist()} {kept.tolist()}")
