"""`beamlock run`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.ground.spacecraft import GroundSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock run`."""
    parser.epilog = "example: beamlock run leo_crosslink --seed 7 --out runs/first"
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="a TOML file, or the name of a shipped one")
    parser.add_argument("--list", action="store_true", help="list the shipped scenarios")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything random (default: the scenario's)")
    parser.add_argument("--duration-s", type=float, metavar="S", help="simulated time (default: the scenario's)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/SCENARIO-SEED)")
    parser.add_argument(
        "--bench", metavar="BENCH", help="which devices are not simulated: a TOML file, or a shipped name"
    )
    parser.add_argument("--list-benches", action="store_true", help="list the shipped benches")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="on a device's line, as alpha.quad_cell:drop=0.02 or alpha.gimbal:disconnect@10+5; may be repeated",
    )
    parser.add_argument("--payload", type=Path, metavar="FILE", help="send FILE from the first terminal to the second")
    parser.add_argument(
        "--encoder", choices=("python", "rtl"), default="python", help="what makes the bits of the payload's link"
    )
    parser.add_argument(
        "--ground",
        metavar="ADDRESS",
        help="in wall time, commanded from the ground: tcp:PORT or udp:PORT,PORT, the second terminal at the next port",
    )
    parser.add_argument("--frames", choices=("aos", "tm"), default="aos", help="of the ground link (default aos)")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="key store of both spacecraft, for the ground link")
    parser.add_argument(
        "--in-clear", action="store_true", help="a ground link beyond this machine without security: do not"
    )
    parser.add_argument("--no-report", action="store_true", help="leave out report.html")


def execute(arguments: argparse.Namespace) -> int:
    """Run and print what came of it. Returns 0, or 1 if the goal was not met."""
    from flightsw.errors import ConfigError
    from hil import bench, faults
    from hil.cli.progress import bar
    from hil.scenario import load, shipped

    if arguments.list or arguments.list_benches:
        for name, description in (shipped() if arguments.list else bench.shipped()).items():
            print(f"{name:16} {description}")
        return 0
    if arguments.scenario is None:
        raise ConfigError("run: expected a SCENARIO, found none; `beamlock run --list` shows those that ship")
    if arguments.seed is not None and arguments.seed < 0:
        raise ConfigError(f"--seed: expected 0 or more, found {arguments.seed}")
    scenario = load(arguments.scenario)
    seed = scenario.seed if arguments.seed is None else arguments.seed
    duration_s = scenario.duration_s if arguments.duration_s is None else arguments.duration_s
    if arguments.encoder != "python" and arguments.payload is None:
        raise ConfigError(f"--encoder {arguments.encoder}: expected --payload FILE for it to encode, found none")
    folder = arguments.out or Path("runs") / f"{scenario.name}-{seed}"

    from hil.encoders import encoder_kind
    from hil.run import REPORT, run

    show = bar(duration_s)
    finished = run(
        scenario,
        folder,
        seed,
        duration_s,
        show,
        _payload(arguments.payload),
        encoder_kind(arguments.encoder, _say),
        bench.ALL_SIMULATED if arguments.bench is None else bench.load(arguments.bench),
        [faults.parse(text) for text in arguments.fault],
        _say,
        _ground(arguments),
    )
    if show is not None:
        print(file=sys.stderr)
    _print_summary(finished.summary)
    if not arguments.no_report:
        from hil.report import write_report

        write_report(folder)
        print(f"report      {folder / REPORT}")
    return 0 if finished.goal_met else 1


def _ground(arguments: argparse.Namespace) -> "GroundSettings | None":
    """The ground link that is asked for. Raises ConfigError for one beyond this machine without security."""
    from flightsw.errors import ConfigError
    from hil.ground import port
    from hil.ground.spacecraft import GroundSettings

    if arguments.ground is None:
        if arguments.keys is not None:
            raise ConfigError(f"--keys {arguments.keys}: expected --ground ADDRESS with it, found none")
        return None
    address = port.parse(arguments.ground)
    if arguments.keys is None and not address.is_loopback and not arguments.in_clear:
        raise ConfigError(
            f"--ground {address}: expected --keys FILE for a link beyond this machine, found none; "
            "`beamlock keys generate` makes them"
        )
    return GroundSettings(address, arguments.keys, arguments.frames)


def _say(line: str) -> None:
    print(f"beamlock: {line}", file=sys.stderr, flush=True)


def _print_summary(summary: dict) -> None:  # type: ignore[type-arg]
    acquisition, link, performance = summary["acquisition"], summary["link"], summary["performance"]
    if acquisition["acquired"]:
        print(f"acquired    after {acquisition['time_s']:.2f} s, scans begun: {acquisition['attempts']}")
    else:
        print(f"acquired    no, scans begun: {acquisition['attempts']}")
    for name, row in summary["tracking"].items():
        x, y = row["residual_rms_urad"]
        if x is None:
            print(f"{name:11} never in COMM")
            continue
        power = link["received_power_dbm"][name]
        print(f"{name:11} residual {x:.2f}, {y:.2f} urad rms, {power:.1f} dBm, {row['comm_s']:.1f} s in COMM")
    if acquisition["false_locks"]:
        print(f"false locks {acquisition['false_locks']}")
    for row in summary["blockages"]:
        end = "held" if row["held"] else f"lost, back {row['back_after_s']} s after its end"
        print(f"blockage    {row['duration_s']:g} s at {row['at_s']:g} s: {end}")
    for name, row in summary.get("devices", {}).items():
        p50, p99 = (summary["latency"][name][key] for key in ("p50_us", "p99_us"))
        state = "" if row["in_service"] else ", not in service"
        print(
            f"{name:22} {row['binding']}: {row['requests']} requests, {row['missed']} not answered, lost "
            f"{row['times_lost']} times, p50 {p50:.0f} us, p99 {p99:.0f} us{state}"
        )
    if "real_time" in summary:
        row = summary["real_time"]
        print(
            f"wall time   {row['rate_hz']} Hz: {100.0 * row['on_time_share']:.2f} % of {row['periods']} periods on "
            f"time, {row['late']} late, {row['skipped']} skipped, slipped by {row['slipped_s'] * 1e3:.1f} ms"
        )
    for name, row in summary.get("ground", {}).items():
        refused = row["damaged"] + row["malformed"] + sum(row["refused"].values())
        print(f"ground      {name}: {row['frames']} frames up, {row['packets']} packets, {refused} refused")
    if "data" in summary:
        _print_data(summary["data"])
    print(f"link        {link['range_km']:.0f} km, point-ahead {link['point_ahead_urad']:.2f} urad")
    print(
        f"speed       {performance['simulated_s']:g} s in {performance['wall_s']:.2f} s: "
        f"{performance['real_time_factor']:.0f} x real time"
    )
    print(f"goal        {'met' if summary['goal_met'] else 'not met'}")


def _print_data(data: dict) -> None:  # type: ignore[type-arg]
    if data["sha256_match"]:
        print(
            f"payload     {data['octets']} octets arrived, SHA-256 equal, {data['goodput_mbps']:.1f} Mb/s "
            f"(line {data['rate_scale']:g} x as fast), latency {data['latency_ms']:.1f} ms"
        )
    else:
        print(f"payload     {data['octets']} octets did not arrive whole")
    print(
        f"frames      sent {data['frames_sent']}, lost {data['frames_lost']}, corrected {data['frames_corrected']}, "
        f"segments sent again {data['segments_resent']}"
    )


def _payload(path: Path | None) -> bytes | None:
    from flightsw.errors import ConfigError

    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--payload {path}: expected a file that can be read, found: {error.strerror}") from None
