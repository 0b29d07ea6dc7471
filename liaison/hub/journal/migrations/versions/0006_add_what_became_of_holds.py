"""What a person decided of a hold, when it went to the GCS, and what a replay made of it.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and an index of the holds that are open."""
    op.add_column("hold", sa.Column("outcome", sa.String(), autoincrement=False, nullable=True))
    op.add_column("hold", sa.Column("escalated_at", sa.BigInteger(), autoincrement=False, nullable=True))
    op.add_column("hold", sa.Column("successor", sa.BigInteger(), autoincrement=False, nullable=True))
    op.create_index("hold_open", "hold", ["delivery"], unique=False, sqlite_where=sa.text("released_at IS NULL"))
