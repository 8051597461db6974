"""What takes long or may crash: done in processes beside the server.

- `jobs` is the queue of slides to be screened; `worker` screens or recounts one of them.
- `maps` explains the cells of a slide; `explainer` computes the maps.
- `predictions` classifies pictures of single cells, by `hemozoin predict`.
- `process` starts a process.
"""
