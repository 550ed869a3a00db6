"""What the API says about keys, and what is asked of it; the command line asks the same."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from eartheye.wording import Printed
from services.admin.roles import Role


class KeyRequest(BaseModel):
    """Ask for a key. Strict: `true` is not one day."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    name: Printed = Field(max_length=100)
    """Whose it is, or what for: one line of what can be printed."""
    role: Role = Field(strict=False)  # JSON has words alone
    """What it may do: look; also submit jobs; also promote; also give and revoke keys."""
    days: int | None = Field(None, gt=0, le=3650)
    """How long it is in force; without it, until it is revoked."""

    @property
    def lifetime(self) -> dt.timedelta | None:
        """How long it is in force."""
        return None if self.days is None else dt.timedelta(days=self.days)


class KeyOut(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    key: str
    name: str
    role: Role
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None
    """To the minute."""


class NewKeyOut(KeyOut):
    """A key that was just given."""

    token: str
    """Shown this once."""


class Mine(BaseModel):
    """Who asks."""

    key: str
    name: str
    role: Role
