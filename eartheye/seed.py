"""The seed of everything that is drawn."""

from typing import Annotated

from pydantic import Field

LARGEST_SEED = 2**32 - 1
"""Source: scikit-learn's `random_state`, the narrowest of those that take it."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
