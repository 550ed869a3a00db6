"""Numbers and names as a sentence has them."""

from collections.abc import Iterable, Sequence

M2_PER_HA = 1e4


def spread(counts: Iterable[int]) -> str:
    """Return the least and the most of some counts."""
    least, most = min(counts := list(counts)), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def length(metres: float) -> str:
    """Return a length with two digits, in metres or kilometres."""
    return f"{two_digits(metres / 1000)} km" if metres >= 1000 else f"{two_digits(metres)} m"


def two_digits(value: float) -> str:
    """Return a number rounded to two digits, without an exponent where it has a few: `160`, `0.15`."""
    return f"{float(f'{value:.2g}'):g}"


def listed(names: Sequence[str]) -> str:
    """Return names with `and` before the last."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
