# /// script
# dependencies = ["nltk"]
# ///
"""Tokenize, stem and count without any data of nltk's; what data it lacks, it says."""

import sys

import nltk
from nltk.stem import PorterStemmer
from nltk.tokenize import RegexpTokenizer

with open(sys.argv[1]) as source:
    words = RegexpTokenizer(r"\w+").tokenize("running runners ran easily " + source.read())
counted = nltk.FreqDist(PorterStemmer().stem(word) for word in words)
try:
    nltk.data.find("tokenizers/nothing-of-this-name")
    said = "found"
except LookupError as error:
    said = str(error).split("'")[0][-9:].strip()
with open(sys.argv[2], "w") as target:
    target.write(f"{sorted(counted.items())} {said} {[p.rpartition('/')[2] for p in nltk.data.path[1:]]}")
