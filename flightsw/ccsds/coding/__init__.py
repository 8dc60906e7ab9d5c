"""The CCSDS codes, randomizers and frame synchronisation, on arrays of many codeblocks at once."""
