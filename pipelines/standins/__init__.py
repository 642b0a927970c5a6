"""Stand-ins for the LineMOD models: procedural objects, from distance fields and paint to meshes."""

VERSION = 1  # of every dataset of stand-ins: raise it when the same name and resolution give another mesh
MIN_RESOLUTION = 24  # grid cells along the longest side
