"""Speed of the Verilated encoder beside a cocotb bench of the same RTL."""

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from flightsw.errors import ConfigError
from hdl.verilated import EncoderModel
from hil.benchmark import Figure

# as in hdl.tb.tm_encoder_throughput, which can be imported with cocotb only
_PARAMETERS = {"DATA_WIDTH": 64, "CONVOLUTIONAL": 0, "E": 16, "INTERLEAVE": 8, "FILL": 0, "DUAL_BASIS": 1}
_FRAME_OCTETS = 1782
_FRAMES, _COCOTB_FRAMES = 4000, 100
_REPEATS = 3


def figures() -> Iterator[Figure]:
    """Measure, and yield the figure. Raises ConfigError without a working Verilator."""
    model = EncoderModel(_PARAMETERS)
    frames = np.random.default_rng(1).integers(0, 256, (_FRAMES, _FRAME_OCTETS), dtype=np.uint8)
    seconds = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        model.encode(frames)
        seconds.append(time.perf_counter() - begin)
    rate = _FRAMES / min(seconds)
    speed = rate * _FRAME_OCTETS / 1e6
    peer = _cocotb()
    yield Figure(
        "Verilated encoder, 64 bits: CRC, RS(255,223) I=8, randomizer, sync marker",
        f"{speed:.1f} MB/s, {rate:.0f} frames/s",
        ">= 2 MB/s and >= 10 x the cocotb bench",
        speed >= 2.0 and (peer is None or rate >= 10.0 * peer),
        "a cocotb bench, left out: no cocotb; pip install 'beamlock[test]'"
        if peer is None
        else f"a cocotb bench of the same chain, {peer:.0f} frames/s",
        float("nan") if peer is None else rate / peer,
    )


def _cocotb() -> float | None:
    """Frames a second of the bench; None without cocotb. Raises ConfigError if it fails."""
    if find_spec("cocotb") is None or find_spec("cocotbext") is None:
        return None
    command = [sys.executable, "-m", "hdl.tb.tm_encoder_throughput", str(_COCOTB_FRAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigError(f"benchmark: expected that the cocotb bench runs, found: {done.stderr.strip()[-200:]}")
    return float(done.stdout.split()[-1])
