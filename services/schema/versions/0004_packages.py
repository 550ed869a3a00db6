"""The package that a decision was about: a version that was made anew under its number is another."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Note the package beside each decision; of those before it is not known."""
    op.add_column("decisions", sa.Column("serving_digest", sa.String(length=64), server_default="", nullable=False))
