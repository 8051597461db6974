"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def _of_slide() -> sa.ForeignKey:
    return sa.ForeignKey("slide.id", ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "slide",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("folder", sa.String, nullable=False, unique=True),
        sa.Column("created", sa.String, nullable=False),
    )
    op.create_table(
        "picture",
        sa.Column("slide", sa.String, _of_slide(), primary_key=True),
        sa.Column("file", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False, index=True),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slide", sa.String, _of_slide(), nullable=False, index=True),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("created", sa.String, nullable=False),
        sa.Column("started", sa.String),
        sa.Column("ended", sa.String),
        sa.Column("error", sa.String),
    )
    op.create_table(
        "change",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", sa.String, nullable=False),
        sa.Column("reader", sa.String, nullable=False),
        sa.Column("slide", sa.String, nullable=False, index=True),
        sa.Column("action", sa.String, nullable=False),
    )
