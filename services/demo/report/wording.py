"""Numbers and names as a sentence has them."""

from collections.abc import Iterable, Sequence


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 piece`, `1,200 pieces`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def spread(counts: Iterable[int]) -> str:
    """Return the least and the most of some counts."""
    least, most = min(counts := list(counts)), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def length(metres: float) -> str:
    """Return a length with two digits, in metres or kilometres."""
    return f"{metres / 1000:.2g} km" if metres >= 1000 else f"{metres:.2g} m"


def listed(names: Sequence[str]) -> str:
    """Return names with `and` before the last."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
