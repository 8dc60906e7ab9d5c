// Frame error control field: appends the CRC-16 of CCSDS 132.0-B-3, clause 4.1.4.2 (also of 732.0-B-4 and 133.0-B-2).
//
//   s_axis --> systematic_encoder --> m_axis
//
// Polynomial x^16 + x^12 + x^5 + 1, initial value FFFF, no final inversion. The check register sees the frame behind as
// many zero octets as its last beat has lanes to spare: it starts with what these turn into FFFF.
//
// Parameters   DATA_WIDTH    8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              FRAME_OCTETS  octets of a frame, CRC not included
// Latency      4 cycles
// Frames of a wrong length, and `enable`, as in axis_append.
`default_nettype none

module ccsds_crc16 #(
    parameter DATA_WIDTH   = 8,
    parameter FRAME_OCTETS = 221
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    enable,
    output wire                    length_error,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire                    s_axis_tlast,

    output wire [  DATA_WIDTH-1:0] m_axis_tdata,
    output wire [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output wire                    m_axis_tvalid,
    input  wire                    m_axis_tready,
    output wire                    m_axis_tlast
);

  `include "ccsds_crc16_rows.vh"

  localparam LANES = DATA_WIDTH / 8;
  localparam SPARE = (LANES - FRAME_OCTETS % LANES) % LANES;

  systematic_encoder #(
      .DATA_WIDTH  (DATA_WIDTH),
      .FRAME_OCTETS(FRAME_OCTETS),
      .SYMBOLS     (2),
      .INTERLEAVE  (1),
      .ROWS        (CRC16_ROWS),
      .START       (CRC16_STARTS[SPARE*16+:16])
  ) encoder (
      .clk          (clk),
      .rst          (rst),
      .enable       (enable),
      .length_error (length_error),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tkeep (s_axis_tkeep),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast (s_axis_tlast),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tkeep (m_axis_tkeep),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

endmodule

`default_nettype wire
