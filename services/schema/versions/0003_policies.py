"""The policy that a decision was made by: a refusal stands for the policy that refused."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Note the policy beside each decision; one request may be refused by several."""
    with op.batch_alter_table("decisions") as table:
        table.add_column(sa.Column("policy", sa.Text(), server_default="", nullable=False))
        table.drop_constraint("uq_decisions_request", type_="unique")
        table.create_unique_constraint("uq_decisions_request_policy", ["request", "policy"])
