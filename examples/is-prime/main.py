"""Says which numbers are prime: python main.py INPUT.txt OUTPUT.json

INPUT holds whole numbers with spaces, commas or line breaks between them.
"""

import json
import sys
from pathlib import Path

# With these bases the test of Miller and Rabin is a proof below LIMIT (J. Sorenson and J. Webster, 2015).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
LIMIT = 3_317_044_064_679_887_385_961_981


def is_prime(number: int) -> bool:
    if number < 2:
        return False
    for base in BASES:
        if number % base == 0:
            return number == base
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(base, number, odd, twos) for base in BASES)


def _passes(base: int, number: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def main(input_path: str, output_path: str) -> None:
    answers = []
    for word in Path(input_path).read_text(encoding="utf-8-sig").replace(",", " ").split():
        try:
            number = int(word)
        except ValueError:
            sys.exit(f"{word!r} is not a whole number.")
        if number >= LIMIT:
            sys.exit(f"{number} is too large: the test is a proof only below {LIMIT}.")
        answers.append({"number": number, "prime": is_prime(number)})
    Path(output_path).write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: main.py INPUT.txt OUTPUT.json")
    main(sys.argv[1], sys.argv[2])
