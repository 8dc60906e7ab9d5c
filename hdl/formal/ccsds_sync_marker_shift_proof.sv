// ccsds_sync_marker, where the marker moves the frame by lanes: it and every octet come out, once and in order; what is
// offered is held, and offered after a cycle.
module ccsds_sync_marker_shift_proof #(
    parameter S_LANES = 8,
    parameter M_LANES = S_LANES
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready,
    input wire                 enable
);

  localparam PUSH = 4 + S_LANES;
  localparam BITS = 6;
  localparam LIMIT = 1;
  `include "stream_proof.vh"

  reg in_frame, enabled;
  wire mark = in_frame ? enabled : enable;
  always @(posedge clk) begin
    if (s_beat) begin
      in_frame <= !s_tlast;
      enabled  <= mark;
    end
    if (rst) in_frame <= 1'b0;
  end

  // The marker enters with the first beat.
  wire enters = s_beat && !in_frame && enable;
  assign push = s_octets + (enters ? 3'd4 : 3'd0);
  assign push_octets = enters ? {s_tdata, 32'h1DFCCF1A} : {32'd0, s_tdata};
  assign push_last = s_tlast;
  assign due = s_tvalid || inside > 4 || (!in_frame && inside != 0);

  ccsds_sync_marker #(
      .DATA_WIDTH(8 * S_LANES),
      .MARKER_OCTETS(4)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .enable       (enable),
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
  (* hierconn *) wire \dut.in_frame ;
  (* hierconn *) wire \dut.enabled ;
  (* hierconn *) wire \dut.g_shift.tail ;
  (* hierconn *) wire [31:0] \dut.g_shift.carry ;
  (* hierconn *) wire [3:0] \dut.g_shift.carry_keep ;

  wire carries = \dut.g_shift.tail || (in_frame && enabled);
  wire [3:0] carry_keep = \dut.g_shift.tail ? \dut.g_shift.carry_keep : 4'hF;
  wire [BITS-1:0] after_offer, after_carry;
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
      .LANES(4),
      .BITS (BITS)
  ) carry (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_offer),
      .valid   (carries),
      .data    (\dut.g_shift.carry ),
      .keep    (carry_keep),
      .ends    (\dut.g_shift.tail ),
      .after   (after_carry)
  );

  always @(*) begin
    if (!rst) begin
      assert (inside == after_carry);
      assert (\dut.in_frame == in_frame);
      if (in_frame) assert (\dut.enabled == enabled);
      if (\dut.g_shift.tail ) assert (!in_frame);
      if (!carries) assert (\dut.g_shift.carry == 32'h1DFCCF1A);
    end
  end

endmodule
