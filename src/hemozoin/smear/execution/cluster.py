"""The same work on a Dask cluster: pictures go out as bytes, what was found in them comes back.

Workers need no disk in common with us, only the same hemozoin. A field whose worker dies is given
to another; results are yielded, and written by the caller, once for each picture.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pkgutil import resolve_name
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from hemozoin.about import VERSION
from hemozoin.errors import DataError, MissingExtraError, RunError
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.screened_field import ScreenedField, unreadable
from hemozoin.smear.slides import Photo

if TYPE_CHECKING:
    from distributed import Client, Future

    #: A picture on its way, or what was known of it without sending.
    Sent = Future[ScreenedField] | ScreenedField | None

#: Seconds in which a scheduler must answer, and then its first worker.
_PATIENCE = 5

#: Seconds after which it is asked whether there still are workers.
_LONG = 30

#: A function that workers have in any case, and what they are to call it with.
_THEIR_VERSION = (resolve_name, "hemozoin.about:VERSION")

_AGAIN = "what is done is kept: run the same command again to go on"


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Yield a client of the scheduler at an address such as tcp://192.168.0.7:8786.

    Raises MissingExtraError without hemozoin[dask], and RunError where there is no scheduler, or
    one without workers (that takes five seconds), or another hemozoin.
    """
    if "://" not in address:
        raise RunError(f"{address}: give the scheduler's address, such as tcp://192.168.0.7:8786")
    client = _client(address)
    try:
        _await_workers(client, address)
        _require_same_version(client, address)
        yield client
    finally:
        client.close(timeout=_PATIENCE)


def _client(address: str) -> Client:
    try:
        import dask  # noqa: PLC0415
        from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("--scheduler needs Dask: pip install 'hemozoin[dask]'") from error
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is raised as well
    # Pictures travel inside their tasks, on purpose: the scheduler can give them out again.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"})
    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has an event loop already
            pool.submit(asyncio.run, _knock(address)).result()
        return Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:  # what answers there may be anything, and be read as anything
        raise RunError(f"{address}: no Dask scheduler answers there; see dask scheduler") from error


async def _knock(address: str) -> None:
    """Raise where no scheduler answers: a client that finds none takes long to give up."""
    from distributed.comm.core import connect  # noqa: PLC0415

    comm = await asyncio.wait_for(connect(address, timeout=_PATIENCE), _PATIENCE)
    await comm.close()


def _await_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise RunError(f"{address}: has no workers; start some with dask worker") from error


def _require_same_version(client: Client, address: str) -> None:
    """Raise RunError where hemozoin is missing or another: a worker would die of our tasks."""
    try:
        found = {client.run_on_scheduler(*_THEIR_VERSION), *client.run(*_THEIR_VERSION).values()}
    except (ImportError, AttributeError):
        found = {"none"}
    if found != {VERSION}:
        raise RunError(
            f"{address}: its scheduler and workers need hemozoin {VERSION}, as is here; found"
            f" {', '.join(sorted(found))}"
        )


def on_workers(
    client: Client, network: ScreenerSettings, jobs: Iterable[tuple[SlideFolder, Photo]]
) -> Iterator[ScreenedField | None]:
    """Yield what was found in each picture, in order; None where its folder has that already.

    Twice as many pictures are on their way as the workers have threads. Raises RunError where
    the scheduler or all workers are lost, and where a picture killed several of them.
    """
    from distributed.comm.core import CommClosedError  # noqa: PLC0415

    try:
        yield from _answers(client, network, jobs)
    except (CancelledError, CommClosedError) as error:
        raise RunError(f"the Dask scheduler is gone; {_AGAIN}") from error


def _answers(
    client: Client, network: ScreenerSettings, jobs: Iterable[tuple[SlideFolder, Photo]]
) -> Iterator[ScreenedField | None]:
    run = uuid4().hex
    waiting: deque[tuple[str, Sent]] = deque()
    # A task rather than scattered data, which would be lost with the workers that hold it.
    shared = client.submit(_itself, network, key=f"hemozoin-network-{run}")
    for number, (folder, photo) in enumerate(jobs):
        key = f"hemozoin-field-{run}-{number}"
        sent = None if folder.has(photo) else _sent(client, shared, photo, key)
        waiting.append((photo.field, sent))
        if len(waiting) > 2 * max(1, sum(client.nthreads().values())):
            yield _received(client, *waiting.popleft())
    while waiting:
        yield _received(client, *waiting.popleft())


def _sent(client: Client, network: Future[ScreenerSettings], photo: Photo, key: str) -> Sent:
    try:
        data = photo.read()
    except DataError as error:
        return unreadable(photo.field, error)
    return client.submit(_screen, network, data, photo.field, key=key)


def _received(client: Client, field: str, sent: Sent) -> ScreenedField | None:
    from distributed import KilledWorker  # noqa: PLC0415

    if sent is None or isinstance(sent, ScreenedField):
        return sent
    while True:
        try:
            return sent.result(timeout=_LONG)
        except KilledWorker as error:
            raise RunError(f"{field}: one worker after another died of it; {_AGAIN}") from error
        except TimeoutError as error:
            if not client.nthreads():
                raise RunError(f"all workers are gone; {_AGAIN}") from error


def _itself(network: ScreenerSettings) -> ScreenerSettings:
    return network


def _screen(network: ScreenerSettings, data: bytes, name: str) -> ScreenedField:
    """Do a worker's work on one picture."""
    with _LOADING:
        work = _work(network)
    return work(data, name)


_LOADING = Lock()


@lru_cache(maxsize=1)
def _work(network: ScreenerSettings) -> ScreenFunction:
    """Open the network; the same object comes with each task, so that this happens once."""
    return network.work()
