# /// script
# dependencies = ["matplotlib", "numpy"]
# ///
"""Draw a figure in a style and a backend that are set before and after the import of pyplot."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["red", "green"])
figure, axes = plt.subplots(1, 2, figsize=(4, 2))
axes[0].plot(np.sin(np.arange(20)), label="größe")
axes[0].legend()
axes[1].hist(np.arange(50) ** 2 % 17)
plt.figure()  # left open
figure.savefig(sys.argv[2], format="png", metadata={"Software": ""})
