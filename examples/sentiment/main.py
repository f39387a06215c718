"""Says how positive texts are: python main.py INPUT OUTPUT.json

INPUT is plain text, one text a line, or JSON: a list of texts, or of objects with a "text".
"""

import json
import sys
from pathlib import Path

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

# The limits that VADER's authors give for its compound score.
POSITIVE, NEGATIVE = 0.05, -0.05


def read_texts(content: str) -> list[str]:
    """The texts of plain text or JSON; the file's name does not tell which it is."""
    if content.lstrip()[:1] not in ("[", "{"):
        return [line.strip() for line in content.splitlines() if line.strip()]
    try:
        data = json.loads(content)
    except ValueError as error:
        sys.exit(f"The input looks like JSON, but is not: {error}")
    items = data if isinstance(data, list) else [data]
    texts = [item.get("text") if isinstance(item, dict) else item for item in items]
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            sys.exit(f'Entry {number} of the input is neither a text nor an object with a "text".')
    return texts


def label(compound: float) -> str:
    if compound >= POSITIVE:
        return "positive"
    return "negative" if compound <= NEGATIVE else "neutral"


def main(input_path: str, output_path: str) -> None:
    analyzer = SentimentIntensityAnalyzer()
    answers = []
    for text in read_texts(Path(input_path).read_text(encoding="utf-8-sig")):
        score = analyzer.polarity_scores(text)["compound"]
        answers.append({"text": text, "sentiment": label(score), "score": score})
    Path(output_path).write_text(json.dumps(answers, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: main.py INPUT OUTPUT.json")
    main(sys.argv[1], sys.argv[2])
