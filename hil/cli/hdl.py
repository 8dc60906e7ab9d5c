"""`beamlock hdl`."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

_TABLE = Path("docs") / "hdl_synthesis.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock hdl`."""
    parser.epilog = "example: beamlock hdl test ccsds_rs_encoder --waves"
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the modules, each with its parameters and its bench")
    lint = actions.add_parser("lint", help="Verilator -Wall and Yosys over the modules")
    lint.add_argument("module", nargs="?", metavar="MODULE")
    test = actions.add_parser("test", help="run the cocotb benches on Verilator")
    test.add_argument("module", nargs="?", metavar="MODULE")
    test.add_argument("--full", action="store_true", help="every width, option and stall, not only a cross-section")
    test.add_argument("--waves", action="store_true", help="keep the waves, FST where lz4.h is there, else VCD")
    test.add_argument("--coverage", action="store_true", help="line and toggle coverage, a table at the end")
    prove = actions.add_parser("prove", help="formal proofs with SymbiYosys and z3")
    prove.add_argument("names", nargs="*", metavar="NAME")
    synth = actions.add_parser("synth", help="cells, block RAM and Fmax of each configuration")
    synth.add_argument("names", nargs="*", metavar="NAME", help="none: all of them, and write docs/hdl_synthesis.md")
    synth.epilog = "example: beamlock hdl synth c2-32"
    for name, summary in (("build", "make a board's bitstream"), ("program", "load the bitstream into the board")):
        board = actions.add_parser(name, help=summary)
        board.add_argument("--board", required=True, metavar="B")
        board.epilog = f"example: beamlock hdl {name} --board icebreaker"
    waves = actions.add_parser("waves", help="open the newest waves of a module")
    waves.add_argument("module", metavar="MODULE")


def execute(arguments: argparse.Namespace) -> int:
    """Do what is asked for. Returns 0, or 1 where something was found to be wrong."""
    actions = {"list": _list, "lint": _lint, "test": _test, "prove": _prove, "synth": _synth, "waves": _waves}
    return (actions.get(arguments.action) or _board)(arguments)


def _list(_: argparse.Namespace) -> int:
    from hdl.catalog import modules

    for module in modules():
        print(f"{module.name:28} {module.description}")
        parameters = ", ".join(f"{name} = {value}" for name, value in module.parameters.items())
        print(f"{'':28} {parameters or 'no parameters'}; {'bench' if module.bench else 'no bench of its own'}")
    return 0


def _lint(arguments: argparse.Namespace) -> int:
    from hdl.lint import lint

    findings = lint(arguments.module)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def _test(arguments: argparse.Namespace) -> int:
    from flightsw.errors import ConfigError
    from hdl.catalog import module, modules
    from hdl.toolchain import WAVES, verilator_environment

    verilator_environment()
    asked = modules() if arguments.module is None else [module(arguments.module)]
    benches = [found.bench for found in asked if found.bench]
    if not benches:
        raise ConfigError(
            f"{arguments.module}: expected a module with a bench, found none of its own; beamlock hdl list"
        )
    if arguments.coverage:
        return _coverage([arguments.module] if arguments.module else [], arguments.full)
    command = [sys.executable, "-m", "pytest", *map(str, benches), "-p", "no:cacheprovider"]
    if arguments.full:
        command += ["-m", "slow or not slow"]
    environment = dict(os.environ)
    if arguments.waves:
        environment[WAVES] = "1"
    code = subprocess.run(command, env=environment, check=False).returncode
    if arguments.waves:
        _show_waves(arguments.module)
    return 1 if code else 0


def _coverage(modules: list[str], full: bool) -> int:
    from hdl.coverage import DATAPATH, measure

    rows = measure(modules or DATAPATH, slow=full)
    print(f"{'module':28} {'line':>7} {'toggle':>7}")
    for row in rows:
        print(f"{row.module:28} {row.percent('line'):6.1f}% {row.percent('toggle'):6.1f}%")
        for point in row.uncovered if modules else []:
            print(f"  {point}")
    return 0 if all(row.reaches() for row in rows) else 1


def _prove(arguments: argparse.Namespace) -> int:
    from hdl.proofs import prove

    failed = 0
    for name, verdict in prove(arguments.names):
        failed += not verdict.holds
        print(f"{name:40} {verdict}", flush=True)
    return 1 if failed else 0


def _synth(arguments: argparse.Namespace) -> int:
    from flightsw.errors import ConfigError
    from hdl.synthesis import configurations, document, measure

    if not arguments.names and not _TABLE.parent.is_dir():
        raise ConfigError(
            f"{_TABLE}: expected the repository's folder to run in, found no {_TABLE.parent} here; go there"
        )
    results = []
    on_terminal = sys.stderr.isatty()

    def show(step: str) -> None:
        if on_terminal:
            print(f"\r{step:60}", end="", file=sys.stderr, flush=True)

    for configuration in configurations(arguments.names):
        result = measure(configuration, show)
        results.append((configuration, result))
        print(
            f"{configuration.name:28} {result.cells:6d} LUT4  {result.flip_flops:6d} FF  {result.block_rams:3d} RAM  "
            f"{result.median_mhz:7.1f} MHz  {result.median_mhz * configuration.lines / 1e3:6.2f} Gb/s",
            flush=True,
        )
    if not arguments.names:
        _TABLE.write_text(document(results))
        print(f"table       {_TABLE}")
    return 0


def _board(arguments: argparse.Namespace) -> int:
    from hdl import boards

    if arguments.action == "build":
        print(f"bitstream   {boards.build(arguments.board)}")
    else:
        boards.program(arguments.board)
        print(f"{arguments.board} programmed")
    return 0


def _waves(arguments: argparse.Namespace) -> int:
    import shutil

    path = _show_waves(arguments.module)
    viewer = shutil.which("surfer") or shutil.which("gtkwave")
    if viewer is None:
        print("no viewer: install Surfer or GTKWave, and open the file with it")
        return 0
    return subprocess.run([viewer, str(path)], check=False).returncode


def _show_waves(module: str | None) -> Path:
    """Print and return the newest waves of a module. Raises ConfigError where there are none."""
    from flightsw.errors import ConfigError
    from hdl.toolchain import BUILD

    folders = BUILD.glob(f"{module or '*'}-*")
    waves = [path for folder in folders for kind in ("fst", "vcd") for path in folder.rglob(f"*.{kind}")]
    if not waves:
        raise ConfigError(f"waves: expected some below {BUILD}, found none; beamlock hdl test {module or ''} --waves")
    newest = max(waves, key=lambda path: path.stat().st_mtime)
    print(f"waves       {newest}")
    return newest
