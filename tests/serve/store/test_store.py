"""The database of a served folder: its version, its ids, its queue."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hemozoin.errors import RunError
from hemozoin.serve.store.database import DATABASE, open_database
from hemozoin.serve.store.store import SlideStore, StoredPicture, slug
from hemozoin.serve.store.tables import Base


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    with open_database(tmp_path).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(RunError, match="of a newer hemozoin; install that version"):
        open_database(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"text" * 1000)
    with pytest.raises(RunError, match="file is not a database; restore it"):
        open_database(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Patient 7", "patient-7"),
        ("../../etc", "etc"),
        ("Ärztin", "arztin"),
        ("", "slide"),
        ("患者", "slide"),
        ("x" * 90, "x" * 40),
    ],
)
def test_ids_are_safe_names(name: str, expected: str, tmp_path: Path) -> None:
    assert slug(name) == expected
    assert SlideStore(tmp_path).reserve_id(name) == expected


def test_ids_are_distinct(tmp_path: Path) -> None:
    store = SlideStore(tmp_path)
    store.add_slide("left", [], "")
    (tmp_path / "left-2").mkdir()
    store.pictures("left-3").mkdir(parents=True)
    assert store.reserve_id("left") == "left-4"
    assert store.reserve_id("pictures") == "pictures-2"


def test_jobs_are_run_once_in_order_and_again_after_a_kill(tmp_path: Path) -> None:
    store = SlideStore(tmp_path)
    for name in ("a", "b"):
        store.add_slide(name, [], "Ada")
    first, second = store.next_job(), store.next_job(["a"])
    none = store.next_job(["a", "b"])
    assert first and second and none is None
    assert (first.slide, second.slide) == ("a", "b")
    interrupted = store.next_job(["a"])  # nothing works on it
    assert interrupted and interrupted.id == second.id
    store.end_job(first.id, "done")
    store.requeue_interrupted()
    again = store.next_job()
    assert again and again.slide == "b"
    store.end_job(again.id, "cancelled")
    store.end_job(again.id, "done")  # its process ended afterwards
    last = store.last_job("b")
    assert last and last.state == "cancelled"


def test_removing_a_slide_keeps_who_did_it(tmp_path: Path) -> None:
    store = SlideStore(tmp_path)
    store.add_slide("a", [StoredPicture("0001-1.png", "1.png", "x")], "Ada")
    assert store.slide_with({"x"}) == "a"
    assert store.slide_with({"x", "y"}) is None
    store.remove_slide("a", "Bob")
    assert store.slide("a") is None
    assert store.picture_names("a") == {}
    assert store.last_job("a") is None
    assert [(one.reader, one.action) for one in store.changes("a")] == [
        ("Ada", "uploaded"),
        ("Bob", "deleted"),
    ]
