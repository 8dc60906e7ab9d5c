// Encoder of a systematic cyclic code: `axis_append` with the check register of the code.
//
//   s_axis --> axis_append --> m_axis
//                 |   ^
//                 v   |
//           systematic_check
//
// Parameters   DATA_WIDTH    8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              FRAME_OCTETS  octets of a frame, check not included
//              SYMBOLS, INTERLEAVE, ROWS, START  as in systematic_check
// Latency      4 cycles
// Frames of a wrong length, and `enable`, as in axis_append.
`default_nettype none

module systematic_encoder #(
    parameter                            DATA_WIDTH   = 8,
    parameter                            FRAME_OCTETS = 221,
    parameter                            SYMBOLS      = 2,
    parameter                            INTERLEAVE   = 1,
    parameter [         512*SYMBOLS-1:0] ROWS         = {512 * SYMBOLS{1'b0}},
    parameter [8*SYMBOLS*INTERLEAVE-1:0] START        = {8 * SYMBOLS * INTERLEAVE{1'b0}}
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

  wire [DATA_WIDTH-1:0] octets;
  wire [2*DATA_WIDTH-9:0] check;
  wire advance, load, first, last, shift;

  axis_append #(
      .DATA_WIDTH  (DATA_WIDTH),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK_OCTETS(SYMBOLS * INTERLEAVE)
  ) appender (
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
      .m_axis_tlast (m_axis_tlast),
      .advance      (advance),
      .octets       (octets),
      .load         (load),
      .first        (first),
      .last         (last),
      .shift        (shift),
      .check        (check)
  );

  systematic_check #(
      .DATA_WIDTH(DATA_WIDTH),
      .SYMBOLS   (SYMBOLS),
      .INTERLEAVE(INTERLEAVE),
      .ROWS      (ROWS),
      .START     (START)
  ) check_register (
      .clk    (clk),
      .advance(advance),
      .octets (octets),
      .load   (load),
      .first  (first),
      .last   (last),
      .shift  (shift),
      .check  (check)
  );

endmodule

`default_nettype wire
