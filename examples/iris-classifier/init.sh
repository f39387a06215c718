#!/bin/sh
# Run once, while the image is built: the model is trained here, not when the first question comes.
set -eu
python train.py
