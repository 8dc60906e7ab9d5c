"""The CCSDS standards, one module each."""
