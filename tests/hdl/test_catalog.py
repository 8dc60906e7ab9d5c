"""What the catalog reads out of a module's file."""

from pathlib import Path

import pytest

from flightsw.errors import ConfigError
from hdl import catalog

SOURCE = """\
// Puts octets in order (CCSDS 131.0-B-5, section 4): the first
// comes first. Nothing else.
//
// Parameters   WIDTH  bits
`default_nettype none

module axis_order #(
    parameter              WIDTH = 8,  // of a beat, parameter OTHER = 3
    parameter [WIDTH-1:0]  START = {WIDTH{1'b0}},
    parameter [63:0]       MARK  = WIDTH == 8 ? 64'h1A : 64'h2B
) (
    input wire clk
);
  localparam LANES = WIDTH / 8;
endmodule
"""


def test_a_module_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "axis_order.v").write_text(SOURCE)
    (tmp_path / "plain.v").write_text("// Plain.\nmodule plain (\n    input wire clk\n);\nendmodule\n")
    (tmp_path / "test_plain.py").touch()
    order, plain = catalog.modules(tmp_path, tmp_path)
    assert order.name == "axis_order"
    assert order.description == "Puts octets in order (CCSDS 131.0-B-5, section 4): the first comes first."
    assert order.parameters == {"WIDTH": "8", "START": "{WIDTH{1'b0}}", "MARK": "WIDTH == 8 ? 64'h1A : 64'h2B"}
    assert order.bench is None
    assert (plain.parameters, plain.bench) == ({}, tmp_path / "test_plain.py")


def test_every_module_says_what_it_does() -> None:
    for module in catalog.modules():
        assert module.description.endswith("."), module.name


def test_parameters_of_the_encoder() -> None:
    # as its own table of parameters lists them
    assert list(catalog.module("ccsds_tm_encoder").parameters) == [
        *("DATA_WIDTH", "CODE", "E", "INTERLEAVE", "FILL", "DUAL_BASIS", "CONVOLUTIONAL"),
    ]
    assert catalog.module("ccsds_tm_encoder").parameters["INTERLEAVE"] == "5"


def test_an_unknown_module_names_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"expected one of axis_append,.*; found 'axis'"):
        catalog.module("axis")
