"""Screen slides: run the work on many fields, on one computer or on a Dask cluster.

- `run.py` screens slides from their pictures to all results, and resumes a stopped run.
- `settings.py` tells what the results depend on.
- `work.py` screens one field.
- `processes.py` does this in processes on this computer, `cluster.py` on a Dask cluster.
"""
