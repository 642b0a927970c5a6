"""EPro-PnP: dense 2D-3D correspondences from a network, turned into a distribution over 6DoF poses.

Rooms: `pnp` (the probabilistic layer), `models`, `losses`, `data`, `inference` (from crops to poses),
`evaluation` (from poses to numbers), `training`, `visualization`. Nothing in here knows Ray or MLflow.
"""
