// axis_width_converter to a narrower stream passes every octet on, once and in order, holds what it offers, and offers
// after a cycle.
module axis_width_converter_narrower_proof #(
    parameter S_LANES = 2,
    parameter M_LANES = 1
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready
);

  localparam PUSH = S_LANES;
  localparam BITS = 5;
  localparam LIMIT = 1;
  `include "stream_proof.vh"

  assign push = s_octets;
  assign push_octets = s_tdata;
  assign push_last = s_tlast;
  assign due = s_tvalid || inside != 0;

  axis_width_converter #(
      .S_WIDTH(8 * S_LANES),
      .M_WIDTH(8 * M_LANES)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (s_tdata),
      .s_axis_tkeep (s_tkeep),
      .s_axis_tvalid(s_tvalid),
      .s_axis_tready(s_tready),
      .s_axis_tlast (s_tlast),
      .m_axis_tdata (m_tdata),
      .m_axis_tkeep (m_tkeep),
      .m_axis_tvalid(m_tvalid),
      .m_axis_tready(m_tready),
      .m_axis_tlast (m_tlast)
  );
  (* hierconn *) wire \dut.g_narrower.valid ;
  (* hierconn *) wire \dut.g_narrower.ends ;
  (* hierconn *) wire [8*S_LANES-1:0] \dut.g_narrower.data ;
  (* hierconn *) wire [S_LANES-1:0] \dut.g_narrower.keep ;

  wire [BITS-1:0] after;
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) beat (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  ({BITS{1'b0}}),
      .valid   (\dut.g_narrower.valid ),
      .data    (\dut.g_narrower.data ),
      .keep    (\dut.g_narrower.keep ),
      .ends    (\dut.g_narrower.ends ),
      .after   (after)
  );

  // Without the end of a frame inside, what is left of a beat fills whole beats.
  wire whole = after % M_LANES == 0;
  always @(*) begin
    if (!rst) begin
      assert (inside == after);
      if (\dut.g_narrower.valid ) assert (\dut.g_narrower.ends || whole);
    end
  end

endmodule
