"""Types for fields of a configuration that the command line gives as text."""

from pydantic import BeforeValidator

WholeNumber = BeforeValidator(lambda given: int(given) if isinstance(given, str) and given.isdecimal() else given)
"""For `Annotated[Literal[1, 3], WholeNumber]`: pydantic reads numbers from text, but not those of a `Literal`."""
