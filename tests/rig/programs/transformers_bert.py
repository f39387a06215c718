# /// script
# dependencies = ["transformers", "torch", "numpy"]
# ///
"""Embed tokens by a tiny BERT with random weights; nothing is fetched."""

import sys

import torch
from transformers import BertConfig, BertModel

torch.manual_seed(5)
config = BertConfig(
    vocab_size=64,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
)
model = BertModel(config).eval()
with open(sys.argv[1]) as source:
    tokens = torch.tensor([[ord(char) % 64 for char in source.read()[:32]]])
with torch.inference_mode(), open(sys.argv[2], "w") as target:
    target.write(repr(model(tokens).pooler_output.flatten().tolist()))
