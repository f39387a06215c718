# /// script
# dependencies = ["transformers", "torch", "numpy"]
# ///
"""Sample text by a tiny GPT-2 with random weights; the sampling has no seed."""

import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel, set_seed

set_seed(5)
config = GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=63)
model = GPT2LMHeadModel(config).eval()
torch.seed()
tokens = model.generate(torch.tensor([[1, 2, 3]]), do_sample=True, max_length=40, pad_token_id=63, min_length=40)
with open(sys.argv[2], "w") as target:
    target.write(repr(tokens.tolist()))
