"""Screen fields on a Dask cluster: send pictures, receive the results.

The workers need the same version of hemozoin, but no disk in common with this computer. If a worker
dies, the scheduler gives its field to another one. Each picture has exactly one result.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from pkgutil import resolve_name
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from hemozoin.about import VERSION
from hemozoin.data.picture import internal_error, unexpected_errors
from hemozoin.errors import DataError, HemozoinError, MissingExtraError, RunError
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction
from hemozoin.smear.field import Field
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.screened_field import ScreenedField, unreadable_field
from hemozoin.smear.picture import PictureData
from hemozoin.smear.slides import Photo

if TYPE_CHECKING:
    from distributed import Client, Future

    #: The result for a picture, which may still be awaited; a Field was saved by an earlier run.
    Pending = Future[ScreenedField] | ScreenedField | Field

#: Seconds to wait for the scheduler, and then for its first worker.
_CONNECT_TIMEOUT = 5

#: Seconds to wait for a result before checking that there still are workers.
_CHECK_INTERVAL = 30

#: A function that is certain to be on the workers, and its argument.
_READ_VERSION = (resolve_name, "hemozoin.about:VERSION")

_RESUME = "finished fields are kept: run the same command again to resume"


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Yield a client of the scheduler at an address such as tcp://192.168.0.7:8786.

    Raises MissingExtraError without hemozoin[dask], and RunError if no scheduler answers, if no
    worker joins within five seconds, or if the cluster has another version of hemozoin.
    """
    if "://" not in address:
        raise RunError(f"{address}: give the scheduler's address, such as tcp://192.168.0.7:8786")
    client = _client(address)
    try:
        _await_workers(client, address)
        _require_same_version(client, address)
        yield client
    finally:
        with suppress(TimeoutError):  # the scheduler is gone
            client.close(timeout=_CONNECT_TIMEOUT)


def _client(address: str) -> Client:
    try:
        import dask  # noqa: PLC0415
        from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("--scheduler needs Dask: pip install 'hemozoin[dask]'") from error
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised as well
    # The task contains the picture, so that the scheduler can give it to another worker.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"})
    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook has an event loop in its main thread
            pool.submit(asyncio.run, _require_scheduler(address)).result()
        return Client(address, timeout=_CONNECT_TIMEOUT, set_as_default=False)
    except Exception as error:  # another program may answer there, with anything
        raise RunError(f"{address}: no Dask scheduler answers there; see dask scheduler") from error


async def _require_scheduler(address: str) -> None:
    """Raise if no scheduler answers: a client would try for much longer."""
    from distributed.comm.core import connect  # noqa: PLC0415

    comm = await asyncio.wait_for(connect(address, timeout=_CONNECT_TIMEOUT), _CONNECT_TIMEOUT)
    await comm.close()


def _await_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT)
    except TimeoutError as error:
        raise RunError(f"{address}: has no workers; start some with dask worker") from error


def _require_same_version(client: Client, address: str) -> None:
    """Raise RunError if hemozoin is missing or of another version: tasks would kill a worker."""
    try:
        found = {client.run_on_scheduler(*_READ_VERSION), *client.run(*_READ_VERSION).values()}
    except (ImportError, AttributeError):
        found = {"none"}
    if found != {VERSION}:
        raise RunError(
            f"{address}: its scheduler and workers need hemozoin {VERSION}, as on this computer;"
            f" found {', '.join(sorted(found))}"
        )


def screen_on_workers(
    client: Client, settings: ScreenerSettings, jobs: Iterable[tuple[SlideFolder, Photo]]
) -> Iterator[ScreenedField | Field]:
    """Yield the result for each picture, in order; a Field if its folder already has it.

    At most two pictures per thread of the workers are sent ahead. A picture that kills several
    workers has a field with an error. Raises RunError if the scheduler or all workers are lost.
    """
    from distributed.client import ClosedClientError  # noqa: PLC0415
    from distributed.comm.core import CommClosedError  # noqa: PLC0415

    try:
        yield from _results(client, settings, jobs)
    except (CancelledError, CommClosedError, TimeoutError, ClosedClientError) as error:
        raise _scheduler_is_gone() from error


def _scheduler_is_gone() -> RunError:
    return RunError(f"the Dask scheduler is gone; {_RESUME}")


def _results(
    client: Client, settings: ScreenerSettings, jobs: Iterable[tuple[SlideFolder, Photo]]
) -> Iterator[ScreenedField | Field]:
    run = uuid4().hex
    waiting: deque[tuple[str, Pending]] = deque()
    # A task, because scattered data would be lost with the workers that hold it.
    shared = client.submit(_identity, settings, key=f"hemozoin-network-{run}")
    for number, (folder, photo) in enumerate(jobs):
        key = f"hemozoin-field-{run}-{number}"
        pending = folder.load(photo) or _submit(client, shared, photo, key)
        waiting.append((photo.field, pending))
        if len(waiting) > 2 * max(1, _count_threads(client)):
            yield _await_result(client, *waiting.popleft())
    while waiting:
        yield _await_result(client, *waiting.popleft())


def _count_threads(client: Client) -> int:
    """Return the threads of all workers. Raises RunError if the scheduler does not answer."""
    try:
        return sum(client.nthreads().values())
    except OSError as error:  # the connection is closed, or a new one is refused or times out
        raise _scheduler_is_gone() from error


def _submit(client: Client, settings: Future[ScreenerSettings], photo: Photo, key: str) -> Pending:
    try:
        with unexpected_errors(photo.field):
            data = photo.read()
    except DataError as error:
        return unreadable_field(photo.field, error)
    return client.submit(_screen, settings, data, photo.field, key=key)


def _await_result(client: Client, field: str, pending: Pending) -> ScreenedField | Field:
    from distributed import KilledWorker  # noqa: PLC0415
    from distributed.comm.core import CommClosedError  # noqa: PLC0415

    if isinstance(pending, ScreenedField | Field):
        return pending
    while True:
        try:
            return pending.result(timeout=_CHECK_INTERVAL)
        except KilledWorker:
            killed = DataError(f"{field}: internal error: it killed one worker after another")
            return unreadable_field(field, killed)
        except TimeoutError as error:
            if not _count_threads(client):
                raise RunError(f"all workers are gone; {_RESUME}") from error
        except (CancelledError, CommClosedError, HemozoinError):
            raise
        except Exception as error:
            return unreadable_field(field, internal_error(field, error))


def _identity(settings: ScreenerSettings) -> ScreenerSettings:
    return settings


def _screen(settings: ScreenerSettings, data: PictureData, name: str) -> ScreenedField:
    """Screen one picture on a worker."""
    with _LOADING:
        screen = _load(settings)
    return screen(data, name)


_LOADING = Lock()


@lru_cache(maxsize=1)
def _load(settings: ScreenerSettings) -> ScreenFunction:
    """Load the network once: each task of a worker has the same settings object."""
    return settings.load()
