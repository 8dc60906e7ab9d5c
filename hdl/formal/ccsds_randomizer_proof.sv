// ccsds_randomizer adds the sequence of its mode to every octet, bit by bit as in CCSDS 131.0-B-5, clause 10.4, and
// otherwise passes them on, once and in order, holds what it offers, and offers after a cycle.
module ccsds_randomizer_proof #(
    parameter S_LANES = 1,
    parameter M_LANES = S_LANES
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready,
    input wire [          1:0] mode
);

  localparam WIDTH = 8 * S_LANES;
  localparam PUSH = S_LANES;
  localparam BITS = 5;
  localparam LIMIT = 1;
  `include "stream_proof.vh"

  // The sequences one bit after the other: the bits to come, the first in bit 0.
  reg in_frame;
  reg [1:0] frame_mode;
  reg [7:0] short;
  reg [16:0] long;
  wire [1:0] used = in_frame ? frame_mode : mode;

  // As many bits as the registers of the module hold.
  localparam SHORT = WIDTH < 8 ? 8 : WIDTH;
  localparam LONG = WIDTH < 17 ? 17 : WIDTH;
  reg [WIDTH+7:0] short_bits;
  reg [WIDTH+16:0] long_bits;
  reg [WIDTH-1:0] added;
  integer n;
  always @(*) begin
    short_bits = short;
    long_bits = long;
    for (n = 0; n < WIDTH; n = n + 1) begin
      short_bits[n+8] = short_bits[n+7] ^ short_bits[n+5] ^ short_bits[n+3] ^ short_bits[n];
      long_bits[n+17] = long_bits[n+14] ^ long_bits[n];
    end
    for (n = 0; n < WIDTH; n = n + 1) begin
      added[n] = used == 2'd1 ? short_bits[n^7] : used == 2'd2 ? long_bits[n^7] : 1'b0;
    end
  end

  always @(posedge clk) begin
    if (s_beat) begin
      in_frame   <= !s_tlast;
      frame_mode <= used;
      short      <= short_bits[WIDTH+:8];
      long       <= long_bits[WIDTH+:17];
    end
    if (rst || (s_beat && s_tlast)) begin
      in_frame <= 1'b0;
      short <= 8'hFF;
      long  <= 17'b11000111000111000;  // its last bit is first
    end
  end

  assign push = s_octets;
  assign push_octets = s_tdata ^ added;
  assign push_last = s_tlast;
  assign due = s_tvalid || inside != 0;

  ccsds_randomizer #(
      .DATA_WIDTH(WIDTH)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .mode         (mode),
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
  (* hierconn *) wire [1:0] \dut.frame_mode ;
  (* hierconn *) wire [SHORT-1:0] \dut.sequence_255.state ;
  (* hierconn *) wire [LONG-1:0] \dut.sequence_131071.state ;

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

  always @(*) begin
    if (!rst) begin
      assert (inside == after_offer);
      assert (\dut.in_frame == in_frame);
      if (in_frame) assert (\dut.frame_mode == {frame_mode == 2'd2, frame_mode == 2'd1});
      assert (\dut.sequence_255.state == short_bits[SHORT-1:0]);
      assert (\dut.sequence_131071.state == long_bits[LONG-1:0]);
    end
  end

endmodule
