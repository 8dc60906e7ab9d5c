"""The encoder's RTL as a device: `ccsds_tm_encoder` compiled by Verilator and called without a simulator around it.

`EncoderModel` is the device with its registers, `VerilatedEncoder` the sending side of a link made of it. cocotb
verifies the RTL; this runs it.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding import ConvolutionalCode
from flightsw.ccsds.interleaver import Interleaver
from flightsw.ccsds.link import interleaver_span, line_octets, require_frames
from flightsw.ccsds.profile import CodingProfile, LinkProfile
from flightsw.errors import ConfigError, DeviceTimeout, FrameError
from hdl.model_library import declare, load_model
from hdl.registers import Register, control

Octets = NDArray[np.uint8]
Announce = Callable[[str], None]

TOP = "ccsds_tm_encoder"
MARKER = bytes.fromhex("1ACFFC1D")

_STUCK, _NO_ROOM = 1, 2
#: Octets a beat with which a model without convolutional code is the fastest: a cycle costs the same at any width.
_WIDTH = 64


@dataclass(frozen=True, slots=True)
class Stalls:
    """Cycles in which a side of a stream does nothing: with a probability below 1, at random from a seed."""

    probability: float = 0.0
    seed: int = 1

    @property
    def threshold(self) -> int:
        """The probability in units of 2^-32."""
        return min(max(round(self.probability * 2.0**32), 0), 2**32)


@dataclass(frozen=True, slots=True)
class Passed:
    """What came out for a batch of frames.

    octets: of all frames, one behind the other, (m,). lengths: octets of each, int64 (n,). cycles: of the clock, from
    the first beat offered to the last one taken.
    """

    octets: Octets
    lengths: NDArray[np.int64]
    cycles: int


class EncoderModel:
    """One `ccsds_tm_encoder`; every instance has registers, frames and clock of its own.

    parameters: those of the module, for instance {"DATA_WIDTH": 64, "INTERLEAVE": 8}; the rest is as in the module.
    patience: cycles in which no beat moves on either side before the model counts as stuck.
    """

    def __init__(
        self, parameters: Mapping[str, int] | None = None, announce: Announce | None = None, patience: int = 100_000
    ) -> None:
        """Raise ConfigError without a working Verilator, or for parameters that the module refuses."""
        self.parameters = dict(parameters or {})
        self.patience = patience
        self._library = _declared(load_model(TOP, self.parameters, announce))
        self._handle = ctypes.c_void_p(self._library.encoder_new())
        if not self._handle:
            raise ConfigError(f"{TOP}: expected parameters that the module allows, found {self.parameters}")
        # what a frame may grow by, of any length and at the lowest rate
        self._codeblock = self.read(Register.CODEBLOCK_OCTETS)
        self._growth = 2 if self.parameters.get("CONVOLUTIONAL", 0) else 1

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.encoder_delete(self._handle)

    @property
    def cycles(self) -> int:
        """Clock cycles since the model was made."""
        return int(self._library.encoder_cycles(self._handle))

    def reset(self) -> None:
        """Reset the device for four cycles: settings and counters go back, frames inside are gone."""
        self._library.encoder_reset(self._handle)

    def read(self, address: int) -> int:
        """Value of a register. Raises ConfigError for an address that the device answers with an error."""
        value = ctypes.c_uint32()
        if self._library.encoder_read(self._handle, address, ctypes.byref(value)):
            raise ConfigError(f"{TOP}: expected the address of a register to read, found 0x{address:02X}")
        return value.value

    def write(self, address: int, value: int) -> None:
        """Set a register. Raises ConfigError for an address that the device answers with an error."""
        if self._library.encoder_write(self._handle, address, value):
            raise ConfigError(f"{TOP}: expected the address of a register to write, found 0x{address:02X}")

    def encode(
        self,
        octets: Octets,
        lengths: NDArray[np.integer] | None = None,
        *,
        idle: Stalls = Stalls(),
        back_pressure: Stalls = Stalls(),
    ) -> Passed:
        """Pass frames, and clock the model until all are out.

        octets: a frame each row, uint8 (n, length); or with `lengths` (n,), all at least 1, frames one behind the
        other, uint8 (sum of lengths,). idle and back_pressure: stalls of what feeds the device, and of what it feeds.
        Raises FrameError for another shape, DeviceTimeout if the model gets stuck: it needs a reset then.
        """
        if lengths is None and octets.ndim == 2:
            lengths = np.full(len(octets), octets.shape[1])
        if lengths is None or octets.dtype != np.uint8 or lengths.sum() != octets.size or (lengths < 1).any():
            raise FrameError(
                "frames", expected="uint8 (n, length), or (m,) with lengths", found=f"{octets.dtype} {octets.shape}"
            )
        of_frames = np.ascontiguousarray(lengths, np.uint32)
        sent = np.ascontiguousarray(octets).reshape(-1)
        longest = np.maximum(of_frames.astype(np.int64) + 2, self._codeblock) + len(MARKER) + 1
        out = np.empty(self._growth * int(longest.sum()) + 16, np.uint8)
        out_lengths = np.empty(len(of_frames), np.uint32)
        count = ctypes.c_uint64()
        begin = self.cycles
        status = self._library.encoder_encode(
            self._handle,
            sent.ctypes.data,
            of_frames.ctypes.data,
            len(of_frames),
            out.ctypes.data,
            len(out),
            out_lengths.ctypes.data,
            idle.threshold,
            idle.seed,
            back_pressure.threshold,
            back_pressure.seed,
            self.patience,
            ctypes.byref(count),
        )
        if status == _STUCK:
            raise DeviceTimeout(
                f"{TOP}: expected a beat within {self.patience} cycles, found none after {count.value} octets of "
                f"{len(of_frames)} frames; reset it"
            )
        assert status != _NO_ROOM, f"{TOP}: more octets than {len(of_frames)} codeblocks have"
        return Passed(out[: count.value], out_lengths.astype(np.int64), self.cycles - begin)


class VerilatedEncoder:
    """The sending side of a link, as `flightsw.ccsds.link.LinkEncoder`, with every bit made by the RTL.

    ```
     without an interleaver   frames --> RTL: block code, randomizer, sync marker, convolutional code --> line
     with one                 frames --> RTL: block code, randomizer --> interleaver
                                     --> RTL: sync marker, convolutional code --> line
    ```

    The interleaver is beamlock's own, and Python's. The octets of the line are those of `LinkEncoder`, call by call: a
    convolutional code's last symbols, fewer than eight, wait in the RTL for the next call, and `flush` brings them out.
    Frames come with their FECF, so that a wrong one stays wrong: the RTL's CRC is off.
    """

    def __init__(
        self, profile: LinkProfile, line_rate_hz: float | None = None, announce: Announce | None = None
    ) -> None:
        """Raise ConfigError for coding that the RTL does not have, without a working Verilator, and as LinkEncoder."""
        coding = profile.coding
        self.profile = profile
        parameters = parameters_of(coding)
        code = coding.block_code()
        self.codeblock_octets = profile.frame.length_octets if code is None else code.n_out
        self.unit_octets = self.codeblock_octets + len(MARKER)
        self._interleaver: Interleaver | None = None
        if coding.interleaver_ms:
            span = interleaver_span(profile, line_rate_hz, self.unit_octets)
            self._interleaver = Interleaver(self.codeblock_octets, span)
        self._rate = coding.convolutional
        block = control(crc=False, code=coding.block != "none", randomizer=coding.randomizer)
        line = control(crc=False, code=False, marker=True, convolutional=self._rate)
        self._line_control = line if self._interleaver else block | line
        self._line_model = EncoderModel(parameters, announce)
        self._line_model.write(Register.CONTROL, self._line_control)
        if self._interleaver:
            self._block_model = EncoderModel(parameters, announce)
            self._block_model.write(Register.CONTROL, block)
        self._uncoded_octets = 0

    @property
    def line_octets_per_frame(self) -> float:
        """Octets of the line that one transfer frame takes."""
        return line_octets(self.unit_octets, self._rate)

    def encode(self, frames: Octets) -> Octets:
        """Octets of the line, (m,), for frames uint8 (n, length). Raises FrameError for frames of another length."""
        require_frames(frames, self.profile.frame.length_octets)
        if self._interleaver is None:
            return self._to_line(frames)
        codeblocks = self._block_model.encode(frames).octets.reshape(len(frames), self.codeblock_octets)
        return self._to_line(self._interleaver.push(codeblocks))

    def flush(self) -> Octets:
        """What is still under way in interleaver and convolutional code; the next frame begins a new stream."""
        rows = (
            np.zeros((0, self.codeblock_octets), np.uint8) if self._interleaver is None else self._interleaver.flush()
        )
        line = self._to_line(rows)
        if self._rate == "none":
            return line
        if ConvolutionalCode(self._rate).symbols(self._uncoded_octets) % 8:
            # a frame of one zero octet, which nothing but the convolutional code touches, pushes them out
            self._line_model.write(Register.CONTROL, control(crc=False, code=False, convolutional=self._rate))
            rest = self._line_model.encode(np.zeros((1, 1), np.uint8)).octets[:1]
            line = np.concatenate([line, rest])
        self._line_model.reset()
        self._line_model.write(Register.CONTROL, self._line_control)
        self._uncoded_octets = 0
        return line

    def _to_line(self, rows: Octets) -> Octets:
        self._uncoded_octets += self.unit_octets * len(rows)
        return self._line_model.encode(rows).octets


def parameters_of(coding: CodingProfile) -> dict[str, int]:
    """Parameters of the `ccsds_tm_encoder` that has a profile's coding. Raises ConfigError where there is none."""
    if coding.block == "ar4ja" or coding.marker != MARKER:
        raise ConfigError(
            "encoder rtl: expected coding.block none, rs or ldpc-c2 and coding.sync_marker "
            f"{MARKER.hex().upper()}, which the RTL has, found {coding.block} and {coding.sync_marker}; "
            "use the Python encoder"
        )
    coded = coding.convolutional != "none"
    parameters = {"DATA_WIDTH": 8 if coded else _WIDTH, "CONVOLUTIONAL": int(coded)}
    if coding.block == "ldpc-c2":
        return parameters | {"CODE": 1}
    if coding.block == "none":
        # frames pass by the code, whatever it is; this one is often built already
        return parameters | {"E": 16, "INTERLEAVE": 5, "FILL": 0, "DUAL_BASIS": 1}
    return parameters | {
        "E": coding.rs_e,
        "INTERLEAVE": coding.rs_interleave,
        "FILL": coding.rs_virtual_fill,
        "DUAL_BASIS": int(coding.rs_basis == "dual"),
    }


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of its functions, as `shim/ccsds_tm_encoder.cpp` has them."""
    handle, pointer, word = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64
    signatures = {
        "new": (handle, []),
        "delete": (None, [handle]),
        "reset": (None, [handle]),
        "cycles": (word, [handle]),
        "read": (ctypes.c_int, [handle, ctypes.c_uint8, pointer]),
        "write": (ctypes.c_int, [handle, ctypes.c_uint8, ctypes.c_uint32]),
        "encode": (
            ctypes.c_int,
            [handle, pointer, pointer, word, pointer, word, pointer, word, word, word, word, word, pointer],
        ),
    }
    return declare(library, "encoder", signatures)
