"""`beamlock benchmark`."""

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock benchmark`: none."""
    parser.epilog = "example: beamlock benchmark"


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print. Returns 0, or 1 if a figure is not met."""
    # one core: the figures are of one, and idle BLAS threads would blur them
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from itertools import chain

    from hil import (
        benchmark,
        coding_benchmark,
        device_benchmark,
        encoder_benchmark,
        mesh_benchmark,
        security_benchmark,
    )

    missed = 0
    parts = benchmark, coding_benchmark, encoder_benchmark, device_benchmark, security_benchmark, mesh_benchmark
    for figure in chain.from_iterable(part.figures() for part in parts):
        missed += not figure.met
        print(f"{figure.name}\n    {figure.measured} (wanted {figure.wanted}: {'met' if figure.met else 'missed'})")
        print(f"    beside {figure.peer}: ratio {figure.ratio:.2f}", flush=True)
    return 1 if missed else 0
