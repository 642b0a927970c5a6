"""EPro-PnP: dense 2D-3D correspondences from a network, turned into a distribution over 6DoF poses.

Rooms: `pnp` (the probabilistic layer), `models`, `losses`, `data`, `evaluation`, `training`, `visualization`.
Nothing in here knows Ray or MLflow.
"""
