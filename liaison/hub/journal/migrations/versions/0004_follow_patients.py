"""Enrolments of followed patients, and the ways from a patient to their stays and documents.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the indexes."""
    op.create_table(
        "follow",
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("list", sa.String(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("due", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("patients", sa.String(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(), autoincrement=False, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("blind", "list"),
        sqlite_with_rowid=False,
    )
    op.create_index("follow_due", "follow", ["due"], unique=False, sqlite_where=sa.text("due IS NOT NULL"))
    op.create_index("stay_patient", "stay", ["patient"], unique=False)
    op.create_index("document_patient", "document", ["patient"], unique=False)
