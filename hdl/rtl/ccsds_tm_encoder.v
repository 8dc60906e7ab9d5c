// The encoder of a link: transfer frames in, channel access data units out, after CCSDS 131.0-B-5.
//
//   s_axis --> gate --> CRC-16 --> block code --> randomizer --> sync marker --> convolutional code --> m_axis
//                          ^           ^              ^               ^                  ^
//   APB --> ccsds_registers +-----------+--- settings -+---------------+------------------+
//
// Randomizer after block code, marker outside of both, convolutional code around all (clauses 9.3, 10.3 and 3.2). With the
// CRC on, a frame goes in without its frame error control field. Settings that are written while frames are inside wait:
// the gate holds the next frame until the chain is empty. A frame whose first beat is taken after the write has the new
// settings. Frames of a wrong length as in axis_append.
//
// Parameters   DATA_WIDTH     8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              CODE           0: Reed-Solomon, 1: LDPC C2 (8160,7136)
//              E, INTERLEAVE, FILL, DUAL_BASIS  as in ccsds_rs_encoder
//              CONVOLUTIONAL  1: with the convolutional code, for DATA_WIDTH 8
// Latency      from the first beat of a frame to the first beat of its marker: 12 cycles with Reed-Solomon, 8 and those of
//              ccsds_ldpc_c2_encoder with LDPC, 4 more with CONVOLUTIONAL
`default_nettype none

module ccsds_tm_encoder #(
    parameter DATA_WIDTH    = 8,
    parameter CODE          = 0,
    parameter E             = 16,
    parameter INTERLEAVE    = 5,
    parameter FILL          = 0,
    parameter DUAL_BASIS    = 1,
    parameter CONVOLUTIONAL = 0
) (
    input wire clk,
    input wire rst,

    input  wire        psel,
    input  wire        penable,
    input  wire        pwrite,
    input  wire [ 7:0] paddr,
    input  wire [31:0] pwdata,
    output wire [31:0] prdata,
    output wire        pready,
    output wire        pslverr,

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

  localparam LANES = DATA_WIDTH / 8;
  localparam FRAME_OCTETS = CODE == 1 ? 892 : (255 - 2 * E) * INTERLEAVE - FILL;
  localparam CODEBLOCK_OCTETS = CODE == 1 ? 1020 : 255 * INTERLEAVE - FILL;
  localparam [31:0] CAPABILITIES = LANES + (CODE == 1 ? 32'h0200_0000
                                                      : E * 256 + INTERLEAVE * 65536 + (DUAL_BASIS != 0 ? 32'h0100_0000 : 0))
                                 + (CONVOLUTIONAL != 0 ? 32'h0400_0000 : 0);

  generate
    if (CODE != 0 && CODE != 1) begin : g_bad_code
      initial begin
        $display("%m: CODE: expected 0 for Reed-Solomon or 1 for LDPC C2, found %0d", CODE);
        $finish;
      end
    end
    if (CONVOLUTIONAL != 0 && DATA_WIDTH != 8) begin : g_bad_convolutional
      initial begin
        $display("%m: CONVOLUTIONAL: expected 0 where DATA_WIDTH is not 8, found %0d", CONVOLUTIONAL);
        $finish;
      end
    end
    if (FRAME_OCTETS < 3) begin : g_bad_length
      initial begin
        $display("%m: FILL: expected to leave a frame of at least 3 octets, found %0d octets left", FRAME_OCTETS);
        $finish;
      end
    end
  endgenerate

  // ---- settings, and the gate that lets them change between frames only
  wire [7:0] control;
  wire control_written;
  reg [7:0] settings;
  reg in_frame;
  reg [7:0] inside;  // frames that have entered, whole or in part, and not left
  wire waiting = control != settings;
  wire full = inside == 8'hFF;
  reg hold;

  wire enter_tready;
  wire open = in_frame || !(hold || full);
  wire enter_tvalid = s_axis_tvalid && open;
  assign s_axis_tready = enter_tready && open;
  wire beat_in = s_axis_tvalid && s_axis_tready;
  wire beat_out = m_axis_tvalid && m_axis_tready;
  wire frame_enters = beat_in && !in_frame;
  wire frame_leaves = beat_out && m_axis_tlast;

  always @(posedge clk) begin
    hold <= waiting || control_written;
    if (beat_in) in_frame <= !s_axis_tlast;
    inside <= inside + {7'd0, frame_enters} - {7'd0, frame_leaves};
    if (hold && inside == 8'd0 && !in_frame && !frame_enters) settings <= control;
    if (rst) begin
      hold <= 1'b1;
      in_frame <= 1'b0;
      inside <= 8'd0;
      settings <= 8'd0;
    end
  end

  // ---- the chain: a stream between each two stages
  wire [DATA_WIDTH-1:0] tdata[0:5];
  wire [LANES-1:0] tkeep[0:5];
  wire tvalid[0:5];
  wire tready[0:5];
  wire tlast[0:5];
  wire crc_length_error, code_length_error;

  axis_register #(
      .DATA_WIDTH(DATA_WIDTH)
  ) enter (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tkeep (s_axis_tkeep),
      .s_axis_tvalid(enter_tvalid),
      .s_axis_tready(enter_tready),
      .s_axis_tlast (s_axis_tlast),
      .m_axis_tdata (tdata[0]),
      .m_axis_tkeep (tkeep[0]),
      .m_axis_tvalid(tvalid[0]),
      .m_axis_tready(tready[0]),
      .m_axis_tlast (tlast[0])
  );

  ccsds_crc16 #(
      .DATA_WIDTH  (DATA_WIDTH),
      .FRAME_OCTETS(FRAME_OCTETS - 2)
  ) crc (
      .clk          (clk),
      .rst          (rst),
      .enable       (settings[0]),
      .length_error (crc_length_error),
      .s_axis_tdata (tdata[0]),
      .s_axis_tkeep (tkeep[0]),
      .s_axis_tvalid(tvalid[0]),
      .s_axis_tready(tready[0]),
      .s_axis_tlast (tlast[0]),
      .m_axis_tdata (tdata[1]),
      .m_axis_tkeep (tkeep[1]),
      .m_axis_tvalid(tvalid[1]),
      .m_axis_tready(tready[1]),
      .m_axis_tlast (tlast[1])
  );

  generate
    if (CODE == 1) begin : g_ldpc
      ccsds_ldpc_c2_encoder #(
          .DATA_WIDTH(DATA_WIDTH)
      ) code (
          .clk          (clk),
          .rst          (rst),
          .enable       (settings[1]),
          .length_error (code_length_error),
          .s_axis_tdata (tdata[1]),
          .s_axis_tkeep (tkeep[1]),
          .s_axis_tvalid(tvalid[1]),
          .s_axis_tready(tready[1]),
          .s_axis_tlast (tlast[1]),
          .m_axis_tdata (tdata[2]),
          .m_axis_tkeep (tkeep[2]),
          .m_axis_tvalid(tvalid[2]),
          .m_axis_tready(tready[2]),
          .m_axis_tlast (tlast[2])
      );
    end else begin : g_reed_solomon
      ccsds_rs_encoder #(
          .DATA_WIDTH(DATA_WIDTH),
          .E         (E),
          .INTERLEAVE(INTERLEAVE),
          .FILL      (FILL),
          .DUAL_BASIS(DUAL_BASIS)
      ) code (
          .clk          (clk),
          .rst          (rst),
          .enable       (settings[1]),
          .length_error (code_length_error),
          .s_axis_tdata (tdata[1]),
          .s_axis_tkeep (tkeep[1]),
          .s_axis_tvalid(tvalid[1]),
          .s_axis_tready(tready[1]),
          .s_axis_tlast (tlast[1]),
          .m_axis_tdata (tdata[2]),
          .m_axis_tkeep (tkeep[2]),
          .m_axis_tvalid(tvalid[2]),
          .m_axis_tready(tready[2]),
          .m_axis_tlast (tlast[2])
      );
    end
  endgenerate

  ccsds_randomizer #(
      .DATA_WIDTH(DATA_WIDTH)
  ) randomizer (
      .clk          (clk),
      .rst          (rst),
      .mode         (settings[3:2]),
      .s_axis_tdata (tdata[2]),
      .s_axis_tkeep (tkeep[2]),
      .s_axis_tvalid(tvalid[2]),
      .s_axis_tready(tready[2]),
      .s_axis_tlast (tlast[2]),
      .m_axis_tdata (tdata[3]),
      .m_axis_tkeep (tkeep[3]),
      .m_axis_tvalid(tvalid[3]),
      .m_axis_tready(tready[3]),
      .m_axis_tlast (tlast[3])
  );

  ccsds_sync_marker #(
      .DATA_WIDTH(DATA_WIDTH)
  ) sync_marker (
      .clk          (clk),
      .rst          (rst),
      .enable       (settings[4]),
      .s_axis_tdata (tdata[3]),
      .s_axis_tkeep (tkeep[3]),
      .s_axis_tvalid(tvalid[3]),
      .s_axis_tready(tready[3]),
      .s_axis_tlast (tlast[3]),
      .m_axis_tdata (tdata[4]),
      .m_axis_tkeep (tkeep[4]),
      .m_axis_tvalid(tvalid[4]),
      .m_axis_tready(tready[4]),
      .m_axis_tlast (tlast[4])
  );

  generate
    if (CONVOLUTIONAL != 0) begin : g_convolutional
      ccsds_convolutional_encoder #(
          .DATA_WIDTH(DATA_WIDTH)
      ) convolutional (
          .clk          (clk),
          .rst          (rst),
          .rate         (settings[7:5]),
          .s_axis_tdata (tdata[4]),
          .s_axis_tkeep (tkeep[4]),
          .s_axis_tvalid(tvalid[4]),
          .s_axis_tready(tready[4]),
          .s_axis_tlast (tlast[4]),
          .m_axis_tdata (tdata[5]),
          .m_axis_tkeep (tkeep[5]),
          .m_axis_tvalid(tvalid[5]),
          .m_axis_tready(tready[5]),
          .m_axis_tlast (tlast[5])
      );
    end else begin : g_uncoded
      assign tdata[5]  = tdata[4];
      assign tkeep[5]  = tkeep[4];
      assign tvalid[5] = tvalid[4];
      assign tlast[5]  = tlast[4];
      assign tready[4] = tready[5];
    end
  endgenerate

  axis_register #(
      .DATA_WIDTH(DATA_WIDTH)
  ) leave (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (tdata[5]),
      .s_axis_tkeep (tkeep[5]),
      .s_axis_tvalid(tvalid[5]),
      .s_axis_tready(tready[5]),
      .s_axis_tlast (tlast[5]),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tkeep (m_axis_tkeep),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

  // ---- what happened, a cycle late, so that the counters hang on nothing of the data path
  function [3:0] octets_of;
    input [LANES-1:0] keep;
    input whole;
    integer n;
    begin
      octets_of = 4'd0;
      for (n = 0; n < LANES; n = n + 1) octets_of = octets_of + {3'd0, keep[n] || whole};
    end
  endfunction

  reg frame_in, input_stall, frame_out, output_stall, length_error, busy;
  reg [3:0] octets_in, octets_out;
  always @(posedge clk) begin
    frame_in <= beat_in && s_axis_tlast;
    octets_in <= beat_in ? octets_of(s_axis_tkeep, !s_axis_tlast) : 4'd0;
    input_stall <= s_axis_tvalid && !s_axis_tready;
    frame_out <= frame_leaves;
    octets_out <= beat_out ? octets_of(m_axis_tkeep, !m_axis_tlast) : 4'd0;
    output_stall <= m_axis_tvalid && !m_axis_tready;
    length_error <= crc_length_error || code_length_error;
    busy <= inside != 8'd0 || waiting;
    if (rst) begin
      frame_in <= 1'b0;
      octets_in <= 4'd0;
      input_stall <= 1'b0;
      frame_out <= 1'b0;
      octets_out <= 4'd0;
      output_stall <= 1'b0;
      length_error <= 1'b0;
      busy <= 1'b0;
    end
  end

  ccsds_registers #(
      .CAPABILITIES    (CAPABILITIES),
      .FRAME_OCTETS    (FRAME_OCTETS),
      .CODEBLOCK_OCTETS(CODEBLOCK_OCTETS)
  ) registers (
      .clk            (clk),
      .rst            (rst),
      .psel           (psel),
      .penable        (penable),
      .pwrite         (pwrite),
      .paddr          (paddr),
      .pwdata         (pwdata),
      .prdata         (prdata),
      .pready         (pready),
      .pslverr        (pslverr),
      .control        (control),
      .control_written(control_written),
      .busy           (busy),
      .frame_in       (frame_in),
      .octets_in      (octets_in),
      .input_stall    (input_stall),
      .frame_out      (frame_out),
      .octets_out     (octets_out),
      .output_stall   (output_stall),
      .length_error   (length_error)
  );

endmodule

`default_nettype wire
