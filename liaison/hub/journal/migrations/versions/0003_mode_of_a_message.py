"""What a message's source could do when it was taken.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: every message so far was live."""
    op.add_column("message", sa.Column("mode", sa.String(), autoincrement=False, nullable=True))
