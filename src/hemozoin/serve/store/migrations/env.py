"""Alembic runs this file to bring a database to the newest version of the tables."""

from __future__ import annotations

from alembic import context

from hemozoin.serve.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite can't alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
