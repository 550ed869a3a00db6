"""At most one pending decision of a model, by the database's own word."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
PENDING = sa.text("state = 'pending'")
DECISIONS = sa.table(
    "decisions",
    sa.column("id", sa.Integer()),
    sa.column("model", sa.String()),
    sa.column("state", sa.String()),
    sa.column("reasons", sa.JSON()),
    sa.column("settled_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Leave the newest pending decision of a model, end those beside it as failed, and let there be no second one."""
    connection, newest = op.get_bind(), set[str]()
    pending = sa.select(DECISIONS).where(PENDING).order_by(DECISIONS.c.id.desc())
    for decision in connection.execute(pending).all():
        if decision.model in newest:
            reasons = [*decision.reasons, "failed: another decision was made at the same time"]
            ended = {"state": "failed", "reasons": reasons, "settled_at": sa.func.current_timestamp()}
            connection.execute(sa.update(DECISIONS).where(DECISIONS.c.id == decision.id).values(ended))
        newest.add(decision.model)
    op.create_index("one_pending_of_a_model", "decisions", ["model"], unique=True, postgresql_where=PENDING, sqlite_where=PENDING)
