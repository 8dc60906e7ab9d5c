"""The errors that a caller can act on. Each message says what was expected, what was found, where, and what to do."""


class BeamlockError(Exception):
    """Root of every error that beamlock raises on purpose."""


class ConfigError(BeamlockError):
    """A scenario, profile, ephemeris or command line asks for something impossible or unknown."""


class FrameError(BeamlockError):
    """A packet, frame or codeblock does not have the form that its standard prescribes."""

    def __init__(self, what: str, *, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class ProtocolError(BeamlockError):
    """A device answered with something that the wire protocol does not allow."""


class DeviceError(BeamlockError):
    """A device failed; the subclasses say how."""


class DeviceNotFound(DeviceError):
    """No device where the bench says there is one."""


class DeviceAccess(DeviceError):
    """The device is there, but may not be opened: permissions, or another program holds it."""


class DeviceDisconnected(DeviceError):
    """The device was there and is gone."""


class DeviceTimeout(DeviceError):
    """The device did not answer in time."""
