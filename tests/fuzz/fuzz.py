"""Coverage-guided fuzzing of `targets.py` with atheris; arguments are those of libFuzzer."""

import sys

import atheris
import numpy as np

from flightsw.ccsds.coding import Ar4ja, ConvolutionalCode, FrameSynchronizer, LdpcC2, ReedSolomon, crc16, crc32

# compiled kernels cannot be instrumented: Numba would meet calls into the fuzzer
_MODULES = [
    f"flightsw.ccsds.{name}"
    for name in (
        "aos_frame",
        "clcw",
        "demultiplexer",
        "frame_header_error_control",
        "header_rows",
        "link",
        "space_packet",
        "tc_frame",
        "time_code",
        "tm_frame",
        "transfer_frame",
        "uslp_frame",
    )
]

# compile or load them ahead: atheris, once at work, gets in the way of Numba's type inference
_octets = np.zeros((1, 1280), np.uint8)
ConvolutionalCode("1/2").decode_hard(_octets)
for _code in (Ar4ja(4096, "1/2"), LdpcC2()):
    _code.decode(np.ones((1, 8 * _code.n_out), np.float32))
ReedSolomon(16, 5).decode(_octets[:, :1275])
FrameSynchronizer(100).push(_octets[0])
crc16(bytes(9)), crc32(bytes(9))

with atheris.instrument_imports(include=[*_MODULES, "flightsw.services.file_transfer", "sim.oem"]):
    import targets

if __name__ == "__main__":
    atheris.Setup(sys.argv, targets.one)
    atheris.Fuzz()
