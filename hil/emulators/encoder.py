"""The encoder board, emulated: its RTL at pin level, clocked as fast as the machine goes while it has work to do.

Octets go in and come out as bits of the UART. A board clocks on while it idles, this one now and then: its time is
cycles, and slower than the wall's.
"""

from contextlib import suppress
from threading import Event

from flightsw.errors import DeviceDisconnected, DeviceTimeout
from hdl.verilated_board import BoardModel
from hil.transports import Transport

#: `board_core` as `hdl/boards/icebreaker` has it.
ICEBREAKER = {"DATA_WIDTH": 8, "INTERLEAVE": 5, "BUFFER_OCTETS": 4096}

#: Cycles between two looks at the line: ten octets at 24 MHz and 3 Mbaud.
_SLICE = 800
#: After so many without an octet either way the board idles; what it has to say it says sooner.
_QUIET = 100 * _SLICE
_IDLE_S = 5e-3


class EncoderBoard:
    """A board, to be put on a line."""

    def __init__(self, model: BoardModel) -> None:
        self.model = model

    def serve(self, transport: Transport, stop: Event) -> None:
        """Be the board at the end of the line until `stop` is set or the host is gone."""
        with suppress(DeviceDisconnected):
            quiet = _QUIET
            while not stop.is_set():
                came = transport.read(0.0 if quiet < _QUIET else _IDLE_S)
                self.model.put(came)
                said = self.model.run(_SLICE)
                if said:
                    # a UART does not wait for who does not listen
                    with suppress(DeviceTimeout):
                        transport.write(said)
                quiet = 0 if came or said or self.model.waiting else quiet + _SLICE
