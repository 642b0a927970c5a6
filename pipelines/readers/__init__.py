"""Folders of data in the BOP and the CDPN layout, read as objects, meshes and frames."""
