"""Stand-ins for the LineMOD models: procedural objects, from distance fields and paint to meshes."""
