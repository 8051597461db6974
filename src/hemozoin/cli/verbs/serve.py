"""`hemozoin serve`: a page where pictures go in and the count comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hemozoin.cli.extras import require_dask_extra, require_serve_extra
from hemozoin.cli.options import WholeNumber


def serve(
    folder: Path = Path("slides"),
    /,
    *,
    host: str = "127.0.0.1",
    port: WholeNumber = 8765,
    open_page: Annotated[bool, Parameter(name="--open")] = False,
    model: str = "nano",
    workers: WholeNumber = 1,
    scheduler: str | None = None,
) -> None:
    """Open a page where slides are uploaded, screened and reviewed, on this computer.

    Parameters
    ----------
    folder
        Folder for slides, results and reviews; what hemozoin screen wrote there is shown too.
    host
        Address to listen on; beyond this computer, such as 0.0.0.0, a token is needed.
    port
        Port to listen on.
    open_page
        Open the page in the browser.
    model
        Name of a pretrained network, or folder of a model or a run.
    workers
        Number of slides that are screened at the same time.
    scheduler
        Address of a Dask cluster that screens them, such as tcp://192.168.0.7:8786.
    """
    require_serve_extra()
    if scheduler:
        require_dask_extra()
    from hemozoin.serve.server import ServeConfig, run_server

    run_server(folder, ServeConfig(host, port, model, workers, open_page, scheduler))
