// Pseudo-randomizer of CCSDS 131.0-B-5, section 10: adds one of the two standard sequences to the bits of each frame.
//
//                     mode
//                      |
//   s_axis ----------(xor)--> beat --> m_axis
//                      ^
//   word of 255 -------+------- word of 131071
//
// Both words are registers that hold the bits of the beat to come, so the data path is one exclusive-or. They step by a
// beat, and start anew with each frame; mind that the shorter sequence repeats after 255 bits, not 256 (sequence_word).
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
// Settings     mode        0: frames pass as they are; 1: x^8+x^7+x^5+x^3+1, period 255 bits; 2: x^17+x^14+1, period
//                          131071 bits (clause 10.4); 3: as 0. Seen at the first beat of a frame
// Latency      1 cycle
`default_nettype none

module ccsds_randomizer #(
    parameter DATA_WIDTH = 8
) (
    input wire       clk,
    input wire       rst,
    input wire [1:0] mode,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire                    s_axis_tlast,

    output reg  [  DATA_WIDTH-1:0] m_axis_tdata,
    output reg  [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output reg                     m_axis_tvalid,
    input  wire                    m_axis_tready,
    output reg                     m_axis_tlast
);

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
  endgenerate

  wire advance = m_axis_tready || !m_axis_tvalid;
  wire step = advance && s_axis_tvalid;
  assign s_axis_tready = advance;

  reg in_frame;
  reg [1:0] frame_mode;
  wire [1:0] beat_mode = in_frame ? frame_mode : {mode == 2'd2, mode == 2'd1};

  // Bits of the sequences in the order of the line, the first in bit 0.
  wire [DATA_WIDTH-1:0] word_255, word_131071;

  sequence_word #(
      .DATA_WIDTH(DATA_WIDTH),
      .DEGREE    (8),
      .TAPS      (8'hA9),
      .SEED      (8'hFF)
  ) sequence_255 (
      .clk    (clk),
      .step   (step),
      .restart(rst || (step && s_axis_tlast)),
      .word   (word_255)
  );

  sequence_word #(
      .DATA_WIDTH(DATA_WIDTH),
      .DEGREE    (17),
      .TAPS      (17'h04001),
      .SEED      (17'h18E38)
  ) sequence_131071 (
      .clk    (clk),
      .step   (step),
      .restart(rst || (step && s_axis_tlast)),
      .word   (word_131071)
  );

  // The octet's bit 7 is first on the line.
  wire [DATA_WIDTH-1:0] added;
  genvar n;
  generate
    for (n = 0; n < DATA_WIDTH; n = n + 1) begin : g_bit
      assign added[n] = (beat_mode[0] & word_255[n^7]) ^ (beat_mode[1] & word_131071[n^7]);
    end
  endgenerate

  always @(posedge clk) begin
    if (advance) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata  <= s_axis_tdata ^ added;
      m_axis_tkeep  <= s_axis_tkeep;
      m_axis_tlast  <= s_axis_tlast;
    end
    if (step) begin
      in_frame   <= !s_axis_tlast;
      frame_mode <= beat_mode;
    end
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      in_frame <= 1'b0;
    end
  end

endmodule

`default_nettype wire
