"""What happens once per study: object tables, stand-in meshes, rendering, datasets.

May import `epropnp.data` (the dataset format) and `epropnp.errors`; nothing in `epropnp` imports
this package.
"""
