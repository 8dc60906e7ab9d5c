import itertools, os, random, time
import cocotb, numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamSource, AxiStreamSink
from flightsw.ccsds.coding import ReedSolomon

@cocotb.test()
async def frames(dut):
    e, i, fill = int(dut.E.value), int(dut.INTERLEAVE.value), int(dut.FILL.value)
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    src = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
    snk = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
    dut.enable.value = 1
    dut.rst.value = 1
    for _ in range(3): await RisingEdge(dut.clk)
    dut.rst.value = 0
    code = ReedSolomon(e, i, fill, "dual")
    rng = np.random.default_rng(1)
    info = rng.integers(0, 256, (20, code.k), np.uint8)
    want = code.encode(info)
    t = time.perf_counter(); c0 = cocotb.utils.get_sim_time("ns")
    for f in info: src.send_nowait(f.tobytes())
    for n in range(20):
        got = await snk.recv(compact=True)
        assert bytes(got.tdata) == want[n].tobytes(), n
    cycles = (cocotb.utils.get_sim_time("ns") - c0)/10
    dut._log.info("%d cycles, %.0f cycles/s", cycles, cycles/(time.perf_counter()-t))

def test_it():
    from hdl.tb.simulation import simulate
    simulate("ccsds_rs_encoder", "hdl.tb.test_ccsds_rs_encoder", {"DATA_WIDTH": int(os.environ.get("W", 64)), "INTERLEAVE": int(os.environ.get("I", 5))})
