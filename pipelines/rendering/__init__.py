"""From a mesh to records: views, light, occluders and backgrounds, the ray caster, and the cut-out window."""
