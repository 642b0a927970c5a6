"""Sweeps: many trials, scheduled by Ray Tune, recorded by MLflow, compared in one table.

`backbones.py` is the project's main job. Nothing in `epropnp` or `pipelines` knows this package.
"""
