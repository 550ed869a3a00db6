"""Counts as a sentence has them."""


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 piece`, `1,200 pieces`.

    Args:
        number: how many.
        singular: of the noun.
        plural: where it is not the singular with an `s`.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
