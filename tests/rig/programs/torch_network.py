# /// script
# dependencies = ["torch", "numpy"]
# ///
"""Score rows by a network that was saved and is loaded again."""

import io
import sys

import torch

torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
saved = io.BytesIO()
torch.save(network.state_dict(), saved)
saved.seek(0)
network.load_state_dict(torch.load(saved))
network.eval()
with open(sys.argv[1]) as lines:
    rows = [[float(value) for value in line.split(",")] for line in list(lines)[1:]]
with torch.inference_mode(), open(sys.argv[2], "w") as target:
    target.write(repr(network(torch.tensor(rows)).flatten().tolist()))
