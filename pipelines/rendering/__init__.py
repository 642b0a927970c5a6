"""From a mesh to records: views, light, occluders and backgrounds, the ray caster, and the cut-out window."""

VERSION = 1  # of every dataset: raise it when the same mesh and seed give another record or background
