"""Alembic's surroundings: a connection handed over by `sharebank upgrade`, or Flask-Migrate's application."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from flask import current_app
from sqlalchemy.engine import Connection
from sqlalchemy.schema import MetaData


def run(connection: Connection, metadata: MetaData | None) -> None:
    """Run the revisions asked for; inside the caller's transaction when one is open."""
    # Batch mode, because SQLite changes a table by rebuilding it.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations compare the database before and after: run them on it, not as a script.")
given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given, None)
else:
    if context.config.config_file_name is not None:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    db = current_app.extensions["migrate"].db
    with db.engine.connect() as own:
        run(own, db.metadata)
