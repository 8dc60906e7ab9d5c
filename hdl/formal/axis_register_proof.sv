// axis_register passes every octet on, once and in order, holds what it offers, and offers after a cycle.
module axis_register_proof #(
    parameter S_LANES = 2,
    parameter M_LANES = S_LANES
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

  axis_register #(
      .DATA_WIDTH(8 * S_LANES)
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
  (* hierconn *) wire [8*S_LANES-1:0] \dut.spare_tdata ;
  (* hierconn *) wire [S_LANES-1:0] \dut.spare_tkeep ;
  (* hierconn *) wire \dut.spare_tlast ;

  wire [BITS-1:0] after_offer, after_spare;
  octet_place #(
      .LANES(M_LANES),
      .BITS (BITS)
  ) offer (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  ({BITS{1'b0}}),
      .valid   (m_tvalid),
      .data    (m_tdata),
      .keep    (m_tkeep),
      .ends    (m_tlast),
      .after   (after_offer)
  );
  octet_place #(
      .LANES(M_LANES),
      .BITS (BITS)
  ) spare (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_offer),
      .valid   (!s_tready),
      .data    (\dut.spare_tdata ),
      .keep    (\dut.spare_tkeep ),
      .ends    (\dut.spare_tlast ),
      .after   (after_spare)
  );

  always @(*) begin
    if (!rst) begin
      assert (inside == after_spare);
      assert (s_tready || m_tvalid);
      if (!s_tready) assert (\dut.spare_tlast || &\dut.spare_tkeep );
    end
  end

endmodule
