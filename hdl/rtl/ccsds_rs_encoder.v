// Reed-Solomon encoder of CCSDS 131.0-B-5, section 4: RS(255,223) and RS(255,239), interleaved, shortened, any width.
//
//   s_axis --> systematic_encoder --> m_axis
//
// One frame of (255 - 2E) INTERLEAVE - FILL octets in, one codeblock of 255 INTERLEAVE - FILL octets out.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              E           16 or 8 correctable symbols per codeword (clause 4.3.1)
//              INTERLEAVE  1, 2, 3, 4, 5 or 8 codewords (clause 4.3.5)
//              FILL        virtual fill in octets, a multiple of INTERLEAVE (clause 4.3.7)
//              DUAL_BASIS  1: symbols in the dual basis (clause 4.3.9); 0: conventional
// Latency      4 cycles
// Frames of a wrong length, and `enable`, as in axis_append.
`default_nettype none

module ccsds_rs_encoder #(
    parameter DATA_WIDTH = 8,
    parameter E          = 16,
    parameter INTERLEAVE = 1,
    parameter FILL       = 0,
    parameter DUAL_BASIS = 1
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

  `include "ccsds_rs_rows.vh"

  localparam FRAME_OCTETS = (255 - 2 * E) * INTERLEAVE - FILL;

  // Where this code's set of rows begins: E 16 dual, conventional, E 8 dual, conventional.
  localparam FIRST_ROW = (E == 16 ? 0 : 32768) + (DUAL_BASIS != 0 ? 0 : 1024 * E);

  generate
    if (E != 16 && E != 8) begin : g_bad_e
      initial begin
        $display("%m: E: expected 16 or 8, found %0d", E);
        $finish;
      end
    end
    if (INTERLEAVE < 1 || INTERLEAVE > 8 || INTERLEAVE == 6 || INTERLEAVE == 7) begin : g_bad_interleave
      initial begin
        $display("%m: INTERLEAVE: expected 1, 2, 3, 4, 5 or 8, found %0d", INTERLEAVE);
        $finish;
      end
    end
    if (FILL < 0 || FILL % INTERLEAVE != 0 || FRAME_OCTETS < 1) begin : g_bad_fill
      initial begin
        $display("%m: FILL: expected a multiple of INTERLEAVE below %0d, found %0d", (255 - 2 * E) * INTERLEAVE, FILL);
        $finish;
      end
    end
  endgenerate

  systematic_encoder #(
      .DATA_WIDTH  (DATA_WIDTH),
      .FRAME_OCTETS(FRAME_OCTETS),
      .SYMBOLS     (2 * E),
      .INTERLEAVE  (INTERLEAVE),
      .ROWS        (RS_ROWS[FIRST_ROW+:1024*E])
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
