"""What all emulators have in common."""

from hil.bodies import Register
from hil.device_side import Handler
from hil.protocol import WHOLE, Capability, ErrorCode, MessageError, Status

#: Room in the input buffer: whatever a message can bring is taken at once.
ROOM = 0xFFFF


class Emulator(Handler):
    """A device in the world's time.

    Attributes:
        capabilities: what HELLO tells.
        registers: their values, by address; none may be written.
        streaming: whether samples are sent; they are, until the host stops them.
    """

    capabilities = Capability.STIMULUS | Capability.STREAM

    def __init__(self, registers: dict[int, int]) -> None:
        self.registers = registers
        self.streaming = True

    def read(self, address: int) -> int:
        """Value of a register."""
        return self.registers[address] if address in self.registers else super().read(address)

    def write(self, address: int, value: int) -> int:
        """No register may be written."""
        if address in self.registers:
            raise MessageError(
                ErrorCode.READ_ONLY, f"register: expected one that may be written, found {Register(address).name}"
            )
        return super().write(address, value)

    def data(self, flags: int, octets: bytes) -> int:
        """Take a command, which has to be whole."""
        if flags & WHOLE != WHOLE:
            raise MessageError(
                ErrorCode.BAD_LENGTH, f"DATA: expected a command in one message, found a part with flags {flags:#04x}"
            )
        self.command(octets)
        return ROOM

    def command(self, octets: bytes) -> None:
        """Do what a whole command says; a sensor takes none."""
        super().data(WHOLE, octets)

    def status(self) -> Status:
        """Whether it streams, and whether a fault is in force."""
        return (Status.STREAMING if self.streaming else Status(0)) | (Status.FAULT if self.faulty else Status(0))

    @property
    def faulty(self) -> bool:
        """Whether a simulated fault is in force."""
        return False

    def stream(self, enable: bool, decimation: int) -> tuple[bool, int]:
        """Start or stop samples. All of them: there is no decimation."""
        if Capability.STREAM not in self.capabilities:
            return super().stream(enable, decimation)
        self.streaming = enable
        return enable, 1

    def send(self, samples: bytes) -> None:
        """Have samples sent before the reply to the message under way."""
        if self.streaming:
            self.samples = samples
