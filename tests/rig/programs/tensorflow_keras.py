# /// script
# dependencies = ["tensorflow-cpu"]
# ///
"""Run a small network of Keras."""

import sys

import tensorflow as tf

tf.keras.utils.set_random_seed(2)
model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(4, "relu"), tf.keras.layers.Dense(1)])
with open(sys.argv[1]) as lines:
    rows = [[float(value) for value in line.split(",")] for line in list(lines)[1:]]
with open(sys.argv[2], "w") as target:
    target.write(repr(model(tf.constant(rows)).numpy().tolist()))
