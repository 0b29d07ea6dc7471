"""An index over the messages in which nobody was recognised.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "message_unassigned",
        "message",
        ["day", "id"],
        unique=False,
        sqlite_where=sa.text("subject >= 'source:' AND subject < 'source;'"),
    )
