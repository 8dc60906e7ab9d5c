"""A board's RTL as a device at its pins: `board_core` compiled by Verilator, with the far end of its UART in C++."""

import ctypes
from collections.abc import Callable, Mapping

from flightsw.errors import ConfigError
from hdl.model_library import declare, load_model

TOP = "board_core"


class BoardModel:
    """One board, clocked by its caller. Time in it is cycles, however long they take on the wall.

    parameters: those of `board_core` but the clock and the baud rate, which the far end must know as well.
    """

    def __init__(
        self,
        parameters: Mapping[str, int] | None = None,
        clock_hz: int = 24_000_000,
        baud: int = 3_000_000,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Raise ConfigError without a working Verilator, or for parameters that the module refuses."""
        self.clock_hz = clock_hz
        self.baud = baud
        self.parameters = {**(parameters or {}), "CLOCK_HZ": clock_hz, "BAUD": baud}
        self._library = _declared(load_model(TOP, self.parameters, announce))
        self._handle = ctypes.c_void_p(self._library.board_new(clock_hz, baud))
        if not self._handle:
            raise ConfigError(f"{TOP}: expected parameters that the module allows, found {self.parameters}")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.board_delete(self._handle)

    @property
    def cycles(self) -> int:
        """Clock cycles since the board was made."""
        return int(self._library.board_cycles(self._handle))

    @property
    def waiting(self) -> int:
        """Octets put that have not begun to go to the board."""
        return int(self._library.board_waiting(self._handle))

    @property
    def framing_errors(self) -> int:
        """Octets from the board that were lost because their stop bit was low."""
        return int(self._library.board_framing_errors(self._handle))

    @property
    def lamps(self) -> tuple[bool, bool, bool]:
        """Heartbeat, activity and error lamp."""
        bits = int(self._library.board_lamps(self._handle))
        return bool(bits & 1), bool(bits & 2), bool(bits & 4)

    def reset(self) -> None:
        """Reset the board for four cycles. What waits on its way to the board stays there."""
        self._library.board_reset(self._handle)

    def put(self, octets: bytes) -> None:
        """Send octets to the board at its baud rate, behind those that still wait, as the clock runs."""
        self._library.board_put(self._handle, octets, len(octets))

    def run(self, cycles: int) -> bytes:
        """Clock the board that often; the octets that came from it."""
        count = int(self._library.board_run(self._handle, cycles))
        octets = ctypes.create_string_buffer(count)
        self._library.board_take(self._handle, octets)
        return octets.raw


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of its functions, as `shim/board_core.cpp` has them."""
    handle, word = ctypes.c_void_p, ctypes.c_uint64
    signatures = {
        "new": (handle, [word, word]),
        "delete": (None, [handle]),
        "reset": (None, [handle]),
        "cycles": (word, [handle]),
        "framing_errors": (word, [handle]),
        "lamps": (ctypes.c_uint32, [handle]),
        "put": (None, [handle, ctypes.c_char_p, word]),
        "waiting": (word, [handle]),
        "run": (word, [handle, word]),
        "take": (None, [handle, ctypes.c_void_p]),
    }
    return declare(library, "board", signatures)
