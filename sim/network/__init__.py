"""The mesh: a constellation of optical terminals as one network; physics and network behaviour, no files."""
