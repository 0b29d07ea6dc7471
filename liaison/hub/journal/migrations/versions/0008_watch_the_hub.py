"""What sources send by the hour, and alerts with what was told of them.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "alert",
        sa.Column("kind", sa.String(), autoincrement=False, nullable=False),
        sa.Column("about", sa.String(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("told_step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("told_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("calm_since", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("end_told_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("kind", "about", "since"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "traffic",
        sa.Column("source", sa.String(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("messages", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("longest", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("quiet", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", "hour"),
        sqlite_with_rowid=False,
    )
