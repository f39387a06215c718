# /// script
# dependencies = ["opencv-python-headless", "numpy"]
# ///
"""Find edges of a picture on several threads, and encode it."""

import sys

import cv2
import numpy as np

cv2.setNumThreads(2)
picture = np.zeros((120, 120, 3), np.uint8)
cv2.circle(picture, (60, 60), 30, (255, 255, 255), 3)
edges = cv2.Canny(cv2.GaussianBlur(picture, (5, 5), 0), 50, 150)
with open(sys.argv[2], "wb") as target:
    target.write(cv2.imencode(".png", edges)[1].tobytes())
