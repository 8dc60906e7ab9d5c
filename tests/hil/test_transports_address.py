"""Addresses: what each leads to, and what is said of those that lead nowhere."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from hil.transports import address
from hil.transports.address import PtyAddress, SerialAddress, TcpAddress, UsbAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serial:/dev/ttyUSB0", SerialAddress("/dev/ttyUSB0", 115200)),
        (
            "serial:/dev/serial/by-id/usb-X_1-if00?baud=3000000",
            SerialAddress("/dev/serial/by-id/usb-X_1-if00", 3000000),
        ),
        ("serial:socket://localhost:5000", SerialAddress("socket://localhost:5000", 115200)),
        (
            "serial:socket://[::1]:5000?logging=debug&baud=9600",
            SerialAddress("socket://[::1]:5000?logging=debug", 9600),
        ),
        ("serial:rfc2217://h:1?ign_set_control", SerialAddress("rfc2217://h:1?ign_set_control", 115200)),
        ("serial:spy:///dev/ttyUSB0?file=a.log&baud=1", SerialAddress("spy:///dev/ttyUSB0?file=a.log", 1)),
        ("serial:loop://", SerialAddress("loop://", 115200)),
        ("usb:1209:0001", UsbAddress(0x1209, 1)),
        ("usb:16c0:ABCD?serial=left-1", UsbAddress(0x16C0, 0xABCD, "left-1")),
        ("tcp:localhost:5000", TcpAddress("localhost", 5000)),
        ("tcp:[fe80::1]:65535", TcpAddress("fe80::1", 65535)),
        ("pty:", PtyAddress()),
        ("pty:/tmp/mirror", PtyAddress(Path("/tmp/mirror"))),
    ],
)
def test_addresses(text, expected):
    assert address.parse(text) == expected
    assert address.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("", "serial:, usb:, tcp: or pty:", "none of them"),
        ("/dev/ttyUSB0", "serial:, usb:, tcp: or pty:", "none of them"),
        ("serial", "serial:, usb:, tcp: or pty:", "none of them"),
        ("gpib:1", "serial:, usb:, tcp: or pty:", "none of them"),
        ("serial:", "a port, as in", "''"),
        ("serial:?baud=9600", "a port, as in", "'?baud=9600'"),
        ("serial:/dev/x?baud=fast", "a whole number of Bd", "'fast'"),
        ("serial:/dev/x?baud=0", "a whole number of Bd", "'0'"),
        ("serial:/dev/x?baud=99999999999999", "a whole number of Bd", "'99999999999999'"),
        ("serial:/dev/x?baud=²", "a whole number of Bd", "'²'"),
        ("serial:/dev/x?parity=even", "no option but baud", "'parity'"),
        ("usb:1209", "vendor and product of 4 hexadecimal digits, as in usb:1209:0001", "'1209'"),
        ("usb:1209:1", "vendor and product of 4 hexadecimal digits, as in usb:1209:0001", "'1209:1'"),
        ("usb:1209:000g", "vendor and product of 4 hexadecimal digits, as in usb:1209:0001", "'1209:000g'"),
        ("usb:1209:0001?baud=9600", "no option but serial=NAME", "'baud=9600'"),
        ("usb:1209:0001?serial=", "no option but serial=NAME", "'serial='"),
        ("tcp:localhost", "host and port", "'localhost'"),
        ("tcp:localhost:0", "host and port", "'localhost:0'"),
        ("tcp:localhost:65536", "host and port", "'localhost:65536'"),
        ("tcp:::1:5000", "host and port", "'::1:5000'"),
        ("tcp:host:1?x=1", "host and port", "'host:1?x=1'"),
        ("pty:a?b=c", "nothing, or a path", "'a?b=c'"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text, expected, found):
    with pytest.raises(ConfigError) as caught:
        address.parse(text)
    message = str(caught.value)
    assert repr(text) in message
    assert f"expected {expected}" in message
    assert f"found {found}" in message


@given(st.text(max_size=30), st.sampled_from(["", "serial:", "usb:", "usb:1209:0001", "tcp:", "tcp:a:", "pty:"]))
def test_arbitrary_text_is_an_address_or_a_config_error(text, begin):
    try:
        found = address.parse(begin + text)
    except ConfigError:
        return
    assert address.parse(str(found)) == found
