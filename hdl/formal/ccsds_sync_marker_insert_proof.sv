// ccsds_sync_marker, where the marker fills whole beats: it and every octet come out, once and in order; what is offered is
// held, and offered after a cycle.
module ccsds_sync_marker_insert_proof #(
    parameter S_LANES       = 1,
    parameter M_LANES       = S_LANES,
    parameter MARKER_OCTETS = 4
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

  localparam [63:0] MARKER = MARKER_OCTETS == 8 ? 64'h034776C7272895B0 : 64'h1ACFFC1D;
  localparam BEATS = MARKER_OCTETS / S_LANES;
  localparam COUNT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam PUSH = MARKER_OCTETS > S_LANES ? MARKER_OCTETS : S_LANES;
  localparam BITS = 6;
  localparam LIMIT = 1;
  `include "stream_proof.vh"

  // The marker enters as soon as a frame is on offer; the frame's first beat is taken when the marker has left.
  // `enable` stays as it is meanwhile.
  reg in_frame, entered, waits, was_enable;
  wire enters = s_tvalid && !in_frame && !entered && enable;
  always @(posedge clk) begin
    entered <= !rst && (enters || entered) && !s_beat;
    waits <= !rst && s_tvalid && !s_tready && !in_frame;
    was_enable <= enable;
    if (s_beat) in_frame <= !s_tlast;
    if (rst) in_frame <= 1'b0;
  end
  always @(*) if (!rst && waits) assume (enable == was_enable);

  reg [8*MARKER_OCTETS-1:0] marker;
  integer n;
  always @(*) for (n = 0; n < MARKER_OCTETS; n = n + 1) marker[8*n+:8] = MARKER[8*(MARKER_OCTETS-1-n)+:8];

  // Both never enter in the same cycle.
  always @(*) if (!rst) assert (!(enters && s_beat));
  assign push = enters ? MARKER_OCTETS : s_octets;
  assign push_octets = enters ? marker : s_tdata;
  assign push_last = !enters && s_tlast;
  assign due = s_tvalid || inside != 0;

  ccsds_sync_marker #(
      .DATA_WIDTH(8 * S_LANES),
      .MARKER_OCTETS(MARKER_OCTETS)
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
  (* hierconn *) wire \dut.g_insert.marked ;
  (* hierconn *) wire [COUNT_BITS-1:0] \dut.g_insert.count ;

  wire [BITS-1:0] after_offer;
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

  // What of the marker is still to be put in front.
  wire [BITS-1:0] left = entered && !\dut.g_insert.marked ? MARKER_OCTETS - S_LANES * \dut.g_insert.count : 0;
  wire [BITS-1:0] at = MARKER_OCTETS - left + ahead - after_offer;
  always @(*) begin
    if (!rst) begin
      assert (inside == after_offer + left);
      assert (\dut.in_frame == in_frame);
      assert (\dut.g_insert.count < BEATS);
      if (tracking && ahead >= after_offer) assert (octet == marker[8*at+:8] && !last);
      if (entered) assert (waits && was_enable);
      if (waits) assert (entered == was_enable);
      if (\dut.g_insert.marked ) assert (entered && \dut.g_insert.count == 0);
      if (\dut.g_insert.count != 0) assert (entered);
      if (entered) assert (!in_frame);
    end
  end

endmodule
