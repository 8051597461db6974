"""Open the SQLite file of a served folder, in write-ahead mode and in the newest version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from hemozoin.errors import RunError

#: The name of the database in the served folder.
DATABASE = "hemozoin.sqlite"

#: Seconds that a transaction waits for another one.
_PATIENCE = 10


def open_database(folder: Path) -> Engine:
    """Return the database of a folder; it is made, or brought to the newest version.

    Raises RunError for a file that is no database or has the tables of a newer version, and if
    the folder can't be written.
    """
    path = folder / DATABASE
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _PATIENCE})
    event.listen(engine, "connect", _configure)
    try:
        _migrate(engine)
    except CommandError as error:
        raise RunError(f"{path}: of a newer hemozoin; install that version") from error
    except OperationalError as error:
        raise RunError(f"{path}: {error.orig}; is the folder writable?") from error
    except DatabaseError as error:
        raise RunError(f"{path}: {error.orig}; restore it from a copy") from error
    return engine


def _configure(connection: Any, _: object) -> None:
    """Turn on what SQLite leaves off: readers beside a writer, and references between tables."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
