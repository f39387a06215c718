# /// script
# dependencies = ["spacy"]
# ///
"""Find sentences and names by rules of a blank pipeline."""

import sys

import spacy

nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
ruler = nlp.add_pipe("entity_ruler")
ruler.add_patterns([{"label": "ORG", "pattern": "Acme Corp"}])
with open(sys.argv[1]) as source:
    doc = nlp("Acme Corp has sold it. Nobody knows why. " + source.read())
with open(sys.argv[2], "w") as target:
    target.write(f"{[(entity.text, entity.label_) for entity in doc.ents]} {len(list(doc.sents))} {len(doc)}")
