# /// script
# dependencies = ["torch", "numpy"]
# ///
"""Train by batches that two processes load; the order is drawn from a seed."""

import sys

import torch
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    torch.manual_seed(11)
    x = torch.linspace(-1, 1, 64).reshape(-1, 1)
    loader = DataLoader(TensorDataset(x, 3 * x + 1), batch_size=16, shuffle=True, num_workers=2)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        for given, wanted in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(given), wanted).backward()
            optimizer.step()
    with open(sys.argv[2], "w") as target:
        target.write(repr([parameter.tolist() for parameter in model.parameters()]))


if __name__ == "__main__":
    main()
