"""The queue of slides to be screened: each in a process of its own, a few at a time.

The queue is in the database. So a job that was running when the server was killed is queued again
at the next start, and screening goes on with the fields that are not done.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Condition, Lock, Thread

from hemozoin.errors import RunError
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.store.tables import JobRow
from hemozoin.serve.work.process import start_python


class JobQueue:
    """Runs the jobs of a store, at most `workers` at a time, between `start` and `stop`."""

    def __init__(self, store: SlideStore, model: str, workers: int) -> None:
        self._store, self.model = store, model
        self._changed, self._recounting = Condition(), Lock()
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._is_stopping = False
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Go on with the jobs of the last server, then with the others."""
        self._store.requeue_interrupted()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the workers; their jobs go on after the next start."""
        with self._changed:
            self._is_stopping = True
            for process in self._running.values():
                process.kill()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Look for queued jobs."""
        with self._changed:
            self._changed.notify_all()

    def cancel(self, slide: str) -> None:
        """Stop the work on a slide, if there is any, and wait until its process has ended."""
        job = self._store.last_job(slide)
        if job is None:
            return
        with self._changed:  # a worker that is taking this job has either taken it or will not
            self._store.end_job(job.id, "cancelled")
            if process := self._running.get(slide):
                process.kill()
            self._changed.wait_for(lambda: slide not in self._running)

    def recount(self, results: Path) -> None:
        """Write the report and slide.json of a slide again, with its reviews.

        Raises RunError where this fails.
        """
        with self._recounting, _start_worker({"recount": str(results)}) as process:
            assert process.stdout is not None
            said = process.stdout.read()
            code = process.wait()
        if code:
            raise RunError(_error(said, code))

    def _work(self) -> None:
        while True:
            with self._changed:
                job = None if self._is_stopping else self._store.next_job()
                if job:
                    self._running[job.slide] = self._start(job)
                elif self._is_stopping:
                    return
                else:
                    self._changed.wait()
            if job:
                self._wait(job)

    def _start(self, job: JobRow) -> subprocess.Popen[str]:
        """Start the process of a job."""
        return _start_worker(
            {
                "model": self.model,
                "pictures": str(self._store.pictures(job.slide)),
                "out": str(self._store.root / job.slide),
            }
        )

    def _wait(self, job: JobRow) -> None:
        with self._running[job.slide] as process:
            assert process.stdout is not None
            said = process.stdout.read()
            code = process.wait()
        with self._changed:
            if self._is_stopping:  # the job goes on after the next start
                pass
            elif code == 0:
                self._store.end_job(job.id, "done")
            else:
                self._store.end_job(job.id, "failed", _error(said, code))
            del self._running[job.slide]
            self._changed.notify_all()


def _start_worker(order: dict[str, str]) -> subprocess.Popen[str]:
    """Start a process that carries out an order; it ends when its standard input is closed."""
    process = start_python("hemozoin.serve.work.worker")
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it died, which its exit code says
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    return process


def _error(said: str, code: int) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(said)["error"])
    return f"the process that works on the slide died (exit code {code}); try again"
