"""How fast the simulator goes through `ccsds_tm_encoder` with a Python testbench around it: frames a second.

Nothing is checked and no cycle is watched: it is the least that a cocotb bench does. `python -m
hdl.tb.tm_encoder_throughput FRAMES` builds the RS(255,223) I=8 chain, 64 bits wide, runs it, and prints the figure.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from hdl.registers import Register
from hdl.tb.apb import Apb
from hdl.tb.simulation import simulate
from hdl.tb.stream import StreamBench

PARAMETERS = {"DATA_WIDTH": 64, "CONVOLUTIONAL": 0, "E": 16, "INTERLEAVE": 8, "FILL": 0, "DUAL_BASIS": 1}
_RESULT = "frames_a_second"


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Pass frames and write down how many a second."""
    apb = Apb(dut)
    bench = StreamBench(dut)
    await bench.reset()
    length = await apb.read(Register.FRAME_OCTETS) - 2
    rng = np.random.default_rng(1)
    frames = [rng.bytes(length) for _ in range(int(os.environ["FRAMES"]))]
    begin = time.perf_counter()
    await bench.pass_frames(frames)
    Path(_RESULT).write_text(str(len(frames) / (time.perf_counter() - begin)))


def main(frames: int) -> float:
    """Build and run. Raises ConfigError without a working Verilator."""
    run = simulate("ccsds_tm_encoder", "hdl.tb.tm_encoder_throughput", PARAMETERS, {"FRAMES": str(frames)})
    return float((run / _RESULT).read_text())


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
