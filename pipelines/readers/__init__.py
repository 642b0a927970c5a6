"""Folders of data in the BOP and the CDPN layout, read as objects, meshes and frames."""

VERSION = 3  # of every dataset of given frames: raise it when the same files give other records
