"""RTL as a shared library: a module compiled by Verilator together with a thin C interface to it.

The interface of a module is `shim/<module>.cpp`. A library is built once for its sources, shim, parameters and
Verilator, and kept in the user's cache folder, that of the environment variable XDG_CACHE_HOME or `~/.cache`, below
`beamlock/models`.
"""

import ctypes
import hashlib
import json
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flightsw.errors import ConfigError
from hdl import object_cache
from hdl.toolchain import RTL, verilator_environment, verilator_version

Parameters = Mapping[str, int]

_SHIM = Path(__file__).parent / "shim"
# Optimised for speed, as the model of an encoder spends its time in `eval`; a shared library of one shim and one model.
_OPTIONS = [
    *("--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    *("--language", "1364-2005", "-Wno-fatal", "--Mdir", ".", "-y", ".", "-I."),
    *("-CFLAGS", "-std=gnu++17 -fPIC -fvisibility=hidden", "-LDFLAGS", "-shared"),
    *("-MAKEFLAGS", "OPT_FAST=-O2 OPT_SLOW=-O1 OPT_GLOBAL=-O2", "-o", "model.so"),
]


def load_model(top: str, parameters: Parameters, announce: Callable[[str], None] | None = None) -> ctypes.CDLL:
    """The library of `hdl/rtl/<top>.v` with these parameters, built first if it is not in the cache.

    announce: called with one line before a build, which takes some ten seconds. Processes may build the same library at
    the same time. Raises ConfigError, one line that says what to install, without a working Verilator and compiler.
    """
    environment = verilator_environment()
    shim = [_SHIM / f"{top}.cpp", *sorted(_SHIM.glob("*.h"))]
    # as they are now: the build must not see what is edited meanwhile
    contents = {path.name: path.read_bytes() for path in [*sources(top), *shim]}
    folder = object_cache.folder() / "models"
    library = folder / f"{top}-{_key(contents, parameters, environment['PATH'])}.so"
    if not library.exists():
        if announce is not None:
            settings = ", ".join(f"{name} {value}" for name, value in parameters.items())
            announce(f"compiling {top} ({settings}), once for this machine")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=f"{library.stem}-") as build:
                # whole or not at all, whoever else builds it
                _build(top, contents, parameters, Path(build), environment).replace(library)
        except OSError as error:
            raise ConfigError(
                f"{folder}: expected a folder for compiled models that can be written, found: {error.strerror}; set "
                "XDG_CACHE_HOME"
            ) from None
    return ctypes.CDLL(str(library))


def declare(library: ctypes.CDLL, prefix: str, signatures: Mapping[str, tuple[Any, Any]]) -> ctypes.CDLL:
    """Give the functions `<prefix>_<name>` of a library the types of their results and arguments."""
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"{prefix}_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def sources(top: str, rtl: Path = RTL) -> list[Path]:
    """The files that a module is made of: its own and those of every module and include file that they name."""
    known = {path.stem: path for path in sorted(rtl.glob("*.v*"))}
    found: dict[str, Path] = {}
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting.extend(set(re.findall(r"\w+", known[name].read_text())) & known.keys())
    return [found[name] for name in sorted(found)]


def _key(contents: Mapping[str, bytes], parameters: Parameters, path: str) -> str:
    """Hash of everything that a library depends on."""
    how = [sorted(parameters.items()), verilator_version(path), _OPTIONS, platform.machine()]
    digest = hashlib.sha256(json.dumps(how).encode())
    for name, content in contents.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:24]


def _build(
    top: str, contents: Mapping[str, bytes], parameters: Parameters, folder: Path, environment: dict[str, str]
) -> Path:
    """Build in `folder`; the path of the library there."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    verilator = shutil.which("verilator", path=environment["PATH"])
    assert verilator is not None, "the environment has one"
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    command = [verilator, *_OPTIONS, *values, "--top-module", top, f"{top}.v", f"{top}.cpp"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        raise ConfigError(
            f"{top}: expected that Verilator compiles it, found: {lines[0] if lines else done.stderr[-300:]}"
        )
    return folder / "model.so"
