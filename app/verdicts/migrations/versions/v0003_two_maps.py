"""The second map that was in sight of a verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns of version 3; they stay empty in the records of before, whose seals do not cover them."""
    op.add_column("verdicts", sa.Column("beside_method", sa.Text))
    op.add_column("verdicts", sa.Column("beside_settings", sa.Text))
    op.add_column("verdicts", sa.Column("beside_target", sa.Integer))
    op.add_column("verdicts", sa.Column("beside_map_sha256", sa.Text))
