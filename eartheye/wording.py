"""Words for people: counts as a sentence has them, and what a list can show of what somebody typed."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 piece`, `1,200 pieces`.

    Args:
        number: how many.
        singular: of the noun.
        plural: where it is not the singular with an `s`.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def _printed(words: str) -> str:
    """Refuse what a list would not show as it is: control characters, line ends, NUL (which PostgreSQL does not store)."""
    if not words.isprintable():
        raise ValueError("it should have no control characters and no line ends")
    return words


Printed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printed)]
"""Words for a list, on one line."""
