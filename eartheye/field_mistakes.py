"""Which fields of a file are refused, in one line."""

from pydantic import ValidationError

TOLD = 3
"""Fields that are told of; who has mended these sees the rest."""


def fields_of(error: ValidationError) -> str:
    """Return each field that is refused and what it should be, as `scenes.0.gsd_m: Input should be greater than 0`.

    Args:
        error: raised where the file's content became a model.
    """
    told = []
    for refused in error.errors(include_url=False)[:TOLD]:
        where, words = ".".join(map(str, refused["loc"])), refused["msg"].removeprefix("Value error, ")
        if refused["type"] == "model_type":
            words = "write fields here, each as `name: value`"
        told.append(f"{where}: {words}" if where else words)
    return "; ".join(told)
