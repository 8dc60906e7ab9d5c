"""Threads of NumPy's linear algebra: none beside the one that asks.

A run's matrices have five rows. OpenBLAS starts a thread a CPU for them all the same, and those wait in a loop.
"""

import os

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def on_one_thread() -> None:
    """Leave the other CPUs alone, where the environment does not say otherwise; to be called before NumPy is there."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
