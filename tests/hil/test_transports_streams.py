"""Pseudo-terminals, serial ports and TCP against plain descriptors and sockets on the other side."""

import contextlib
import errno
import os
import select
import socket
import termios
import threading
import tty
from pathlib import Path

import pytest
import serial

from flightsw.errors import ConfigError, DeviceAccess, DeviceDisconnected, DeviceNotFound, DeviceTimeout
from hil.transports import Framing, address, descriptor
from hil.transports.pty import PtyTransport
from hil.transports.serial_port import NativePort, UrlPort, open_port
from hil.transports.tcp import Listener, connect

ALL_OCTETS = bytes(range(256))
LONG = ALL_OCTETS * 200


@pytest.fixture
def opened():
    """`opened(transport)` closes it at the end of the test."""
    with contextlib.ExitStack() as stack:

        def keep(transport):
            stack.callback(transport.close)
            return transport

        yield keep


@pytest.fixture
def terminal():
    """Descriptor of the device's side of a plain pseudo-terminal, and the path of the host's."""
    device, host = os.openpty()
    tty.setraw(host)
    yield device, os.ttyname(host)
    for end in (device, host):
        with contextlib.suppress(OSError):
            os.close(end)


def read_all(transport, n: int) -> bytes:
    octets = b""
    while len(octets) < n:
        octets += transport.read(10.0)
    return octets


def test_a_pty_carries_every_octet_unchanged(opened):
    device = opened(PtyTransport())
    host = os.open(device.path, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(host, ALL_OCTETS)
        assert read_all(device, 256) == ALL_OCTETS
        device.write(ALL_OCTETS)
        received = b""
        while len(received) < 256:
            received += os.read(host, 256)
        assert received == ALL_OCTETS
    finally:
        os.close(host)
    assert device.framing is Framing.STREAM
    assert device.name == f"pty:{device.path}"


def test_nothing_to_read_is_no_octets(opened):
    device = opened(PtyTransport())
    assert device.read(0.0) == b""
    assert device.read(0.001) == b""


def test_a_pty_does_not_echo_to_a_device_that_speaks_first(opened):
    device = opened(PtyTransport())
    device.write(b"hello\r\n")
    assert device.read(0.05) == b""
    host = opened(open_port(device.path, 115200))
    device.write(b"again\r\n")
    assert read_all(host, 7) == b"again\r\n"


def test_a_pty_takes_another_host_after_the_first(opened):
    device = opened(PtyTransport())
    for octets in (b"first", b"second"):
        host = open_port(device.path, 115200)
        host.write(octets)
        assert read_all(device, len(octets)) == octets
        device.write(octets)
        assert read_all(host, len(octets)) == octets
        host.close()


def test_a_pty_that_is_closed_is_gone_for_its_host(opened):
    device = PtyTransport()
    host = opened(open_port(device.path, 115200))
    device.close()
    device.close()
    with pytest.raises(DeviceDisconnected, match=r"the other side is gone.*open it again"):
        host.read(10.0)
    with pytest.raises(DeviceDisconnected, match="gone"):
        host.write(b"x")
    with pytest.raises(DeviceDisconnected, match="expected an open line, found it closed"):
        device.read(0.0)
    with pytest.raises(DeviceDisconnected, match="expected an open line, found it closed"):
        device.write(b"x")


def test_a_link_leads_to_the_device_that_is_there_now(opened, tmp_path):
    link = tmp_path / "mirror"
    first = PtyTransport(link)
    assert first.path == str(link)
    second = opened(PtyTransport(link))
    first.close()
    host = opened(open_port(str(link), 115200))
    second.write(b"second")
    assert read_all(host, 6) == b"second"
    second.close()
    assert not link.is_symlink()
    with pytest.raises(DeviceNotFound, match="No such file"):
        open_port(str(link), 115200)


def test_a_link_replaces_no_file(tmp_path):
    file = tmp_path / "notes"
    file.write_text("precious")
    with pytest.raises(DeviceAccess, match="expected a place for a link"):
        PtyTransport(file)
    with pytest.raises(DeviceAccess, match="expected a place for a link"):
        PtyTransport(tmp_path / "nowhere" / "mirror")
    assert file.read_text() == "precious"


def test_a_port_that_nobody_reads_is_full_at_last(opened, monkeypatch):
    monkeypatch.setattr(descriptor, "WRITE_TIMEOUT_S", 0.01)
    device = opened(PtyTransport())
    host = opened(open_port(device.path, 115200))
    with pytest.raises(DeviceTimeout, match=r"expected the other side to take octets within 0.01 s, found it full"):
        device.write(bytes(1 << 20))
    with pytest.raises(DeviceTimeout, match="found it full"):
        host.write(bytes(1 << 20))


def test_a_long_write_waits_for_its_reader(opened):
    device = opened(PtyTransport())
    host = opened(open_port(device.path, 115200))
    writer = threading.Thread(target=device.write, args=(LONG,))
    writer.start()
    assert read_all(host, len(LONG)) == LONG
    writer.join()


def test_a_serial_port_is_raw_and_at_its_baud_rate(opened, terminal):
    device, path = terminal
    port = opened(open_port(path, 3000000))
    assert isinstance(port, NativePort)
    assert (port.name, port.framing) == (f"serial:{path}", Framing.STREAM)
    iflag, oflag, _, lflag, ispeed, ospeed, _ = termios.tcgetattr(device)
    assert ispeed == ospeed == termios.B3000000
    assert not lflag & (termios.ECHO | termios.ICANON | termios.ISIG)
    assert not iflag & (termios.ICRNL | termios.IXON)
    assert not oflag & termios.OPOST
    port.write(ALL_OCTETS)
    assert os.read(device, 1000) == ALL_OCTETS
    os.write(device, ALL_OCTETS)
    assert read_all(port, 256) == ALL_OCTETS


def test_a_port_in_use_is_said_to_be(opened, terminal):
    _, path = terminal
    first = opened(open_port(path, 115200))
    with pytest.raises(DeviceAccess, match=rf"serial:{path}: expected a free port, found that another program has it"):
        open_port(path, 115200)
    first.close()
    opened(open_port(path, 115200))


def test_a_port_without_permission_names_the_group(terminal):
    _, path = terminal
    Path(path).chmod(0o600)
    with someone_else(), pytest.raises(DeviceAccess, match=r"only group \w+ may: run `sudo usermod -aG \w+ \$USER`"):
        open_port(path, 115200)


@contextlib.contextmanager
def someone_else():
    """Root may open everything, so be nobody for a while."""
    if os.geteuid() != 0:
        pytest.skip("the terminal is one's own")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("url", "error", "what"),
    [
        ("/dev/nowhere", DeviceNotFound, "No such file or directory: plug the device in"),
        ("/dev/null", DeviceNotFound, "Could not configure port"),
        ("warp://host:1", ConfigError, "expected a port or a pyserial URL"),
        ("socket://localhost", DeviceNotFound, "expected a serial port"),
        ("loop://?speed=high", ConfigError, "expected a port or a pyserial URL"),
    ],
)
def test_ports_that_are_none(url, error, what):
    with pytest.raises(error, match=what):
        open_port(url, 115200)


def test_a_baud_rate_that_cannot_be(terminal):
    with pytest.raises(ConfigError, match="found 99999999999 Bd"):
        open_port(terminal[1], 99999999999)


def test_pyserial_loops_back(opened):
    port = opened(open_port("loop://", 115200))
    assert isinstance(port, UrlPort)
    assert port.read(0.0) == b""
    assert port.read(0.001) == b""
    port.write(LONG[:1000])
    assert port.read(10.0) == LONG[:1000]


def test_pyserial_spies(opened, terminal, tmp_path):
    device, path = terminal
    log = tmp_path / "log"
    port = opened(address.parse(f"serial:spy://{path}?file={log}&baud=9600").open())
    assert isinstance(port, UrlPort)
    # pyserial leaves the log open
    opened(port._port.formatter.output)
    port.write(b"ping")
    assert os.read(device, 10) == b"ping"
    os.write(device, b"pong")
    assert read_all(port, 4) == b"pong"
    port._port.formatter.output.flush()
    assert "ping" in log.read_text()


def test_pyserial_over_a_socket_that_goes_away(opened):
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        port = opened(open_port(f"socket://127.0.0.1:{number}", 115200))
        device, _ = server.accept()
        with device:
            port.write(ALL_OCTETS)
            assert device.recv(1000) == ALL_OCTETS
            device.sendall(LONG)
            assert read_all(port, len(LONG)) == LONG
        with pytest.raises(DeviceDisconnected, match="the device is gone"):
            port.read(10.0)
    with pytest.raises(DeviceNotFound, match=os.strerror(errno.ECONNREFUSED)):
        open_port(f"socket://127.0.0.1:{number}", 115200)


class FullPort(serial.SerialBase):
    """A port of pyserial's that takes nothing."""

    def _reconfigure_port(self):
        pass

    def write(self, data):
        raise serial.SerialTimeoutException("Write timeout")


def test_a_port_of_pyserials_that_takes_nothing():
    with pytest.raises(DeviceTimeout, match="expected the port to take octets within 1 s, found it full"):
        UrlPort("serial:full", FullPort()).write(b"x")


def test_tcp_carries_every_octet_both_ways(opened):
    listener = opened(Listener())
    host = opened(connect("127.0.0.1", listener.port))
    device = opened(listener.accept(10.0))
    host.write(ALL_OCTETS)
    assert read_all(device, 256) == ALL_OCTETS
    device.write(ALL_OCTETS)
    assert read_all(host, 256) == ALL_OCTETS
    assert host.read(0.0) == b""
    assert host.name == f"tcp:127.0.0.1:{listener.port}"
    assert host._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_peer_that_leaves_is_gone_and_may_come_again(opened):
    listener = opened(Listener())
    for _ in range(2):
        host = opened(address.parse(f"tcp:127.0.0.1:{listener.port}").open())
        device = listener.accept(10.0)
        device.write(b"last words")
        device.close()
        assert read_all(host, 10) == b"last words"
        with pytest.raises(DeviceDisconnected, match="the other side is gone"):
            host.read(10.0)


def test_a_peer_that_resets_is_gone(opened):
    listener = opened(Listener())
    host = opened(connect("127.0.0.1", listener.port))
    device = listener.accept(10.0)
    host.write(b"unread")
    select.select([device._socket], [], [], 10.0)
    device.close()
    with pytest.raises(DeviceDisconnected, match="gone"):
        while True:
            host.write(b"x")
            host.read(0.001)


def test_nobody_listens():
    listener = Listener()
    listener.close()
    with pytest.raises(DeviceNotFound, match="expected a device that listens there"):
        connect("127.0.0.1", listener.port)
    with pytest.raises(DeviceNotFound, match="expected a device that listens there"):
        connect("no.such.host.invalid", 1)


def test_a_port_that_is_listened_at_already(opened):
    listener = opened(Listener())
    with pytest.raises(DeviceAccess, match="expected a port to listen at"):
        Listener(port=listener.port)


def test_nobody_connects(opened):
    listener = opened(Listener())
    for timeout_s in (0.0, 0.01):
        with pytest.raises(DeviceTimeout, match="expected a host to connect"):
            listener.accept(timeout_s)


def test_addresses_open(opened, terminal, tmp_path):
    assert opened(address.parse(f"serial:{terminal[1]}").open()).name == f"serial:{terminal[1]}"
    assert opened(address.parse("pty:").open()).path.startswith("/dev/")
    assert Path(opened(address.parse(f"pty:{tmp_path}/link").open()).path).is_symlink()
