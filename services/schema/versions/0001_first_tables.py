"""Tables of the inference service and of the registry."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("from_previous", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("request", name=op.f("uq_decisions_request")),
    )
    op.create_index(op.f("ix_decisions_model"), "decisions", ["model"])
    op.create_table(
        "model_states",
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("champion", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_model_states")),
    )
    op.create_table(
        "plans",
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("scene", sa.String(length=1100), nullable=False),
        sa.Column("scene_digest", sa.String(length=64), nullable=False),
        sa.Column("serving", sa.String(length=1100), nullable=False),
        sa.Column("serving_digest", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.Column("area_column", sa.Integer(), nullable=False),
        sa.Column("area_row", sa.Integer(), nullable=False),
        sa.Column("area_width", sa.Integer(), nullable=False),
        sa.Column("area_height", sa.Integer(), nullable=False),
        sa.Column("work", sa.String(length=1100), nullable=False),
        sa.PrimaryKeyConstraint("plan", name=op.f("pk_plans")),
    )
    op.create_table(
        "blocks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("block", sa.String(length=20), nullable=False),
        sa.Column("column", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("raster", sa.JSON(), nullable=True),
        sa.Column("sendings", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan"], ["plans.plan"], name=op.f("fk_blocks_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
        sa.UniqueConstraint("plan", "block", name=op.f("uq_blocks_plan_block")),
    )
    op.create_index("blocks_by_state", "blocks", ["plan", "state"])
    op.create_table(
        "jobs",
        sa.Column("job", sa.String(length=128), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("output", sa.String(length=1100), nullable=True),
        sa.Column("blocks_done", sa.Integer(), nullable=False),
        sa.Column("blocks_empty", sa.Integer(), nullable=False),
        sa.Column("blocks_failed", sa.Integer(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assembly_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan"], ["plans.plan"], name=op.f("fk_jobs_plan")),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_plan"), "jobs", ["plan"])
    op.create_index("jobs_by_state", "jobs", ["state"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("work", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_outbox_decision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_done_at"), "outbox", ["done_at"])
