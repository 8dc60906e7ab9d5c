// Attached sync marker of CCSDS 131.0-B-5, section 9: puts the marker in front of each frame.
//
//   marker --frame's end--> carry <---- lanes that do not fit ----+
//                             |                                   |
//                             v                                   |
//   s_axis --------------> (beside each other) --> beat --> m_axis
//
// Whole beats of the marker leave while the first beat of the frame waits. A marker shorter than a beat, 4 octets in
// 8 lanes, moves the frame by as many lanes: each beat is made of the carried lanes and the low lanes of the input, and
// a last beat that does not fit is followed by one with its rest. m_axis is valid in every cycle while data is there.
//
// Parameters   DATA_WIDTH     8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              MARKER_OCTETS  4 or 8
//              MARKER         right-aligned, its first octet in the highest bits; by default that of clause 9.3:
//                             1ACFFC1D, or with 8 octets 034776C7272895B0
// Settings     enable         0: frames pass as they are. Seen at the first beat of a frame
// Latency      1 cycle, and one for each whole beat of the marker
`default_nettype none

module ccsds_sync_marker #(
    parameter        DATA_WIDTH    = 8,
    parameter        MARKER_OCTETS = 4,
    parameter [63:0] MARKER        = MARKER_OCTETS == 8 ? 64'h034776C7272895B0 : 64'h1ACFFC1D
) (
    input wire clk,
    input wire rst,
    input wire enable,

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

  localparam LANES = DATA_WIDTH / 8;
  localparam BEATS = MARKER_OCTETS / LANES;
  localparam [LANES-1:0] ALL = {LANES{1'b1}};

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
    if (MARKER_OCTETS != 4 && MARKER_OCTETS != 8) begin : g_bad_octets
      initial begin
        $display("%m: MARKER_OCTETS: expected 4 or 8, found %0d", MARKER_OCTETS);
        $finish;
      end
    end
  endgenerate

  // The marker in the order of the lanes.
  wire [8*MARKER_OCTETS-1:0] marker;
  genvar n;
  generate
    for (n = 0; n < MARKER_OCTETS; n = n + 1) begin : g_octet
      assign marker[8*n+:8] = MARKER[8*(MARKER_OCTETS-1-n)+:8];
    end
  endgenerate

  wire advance = m_axis_tready || !m_axis_tvalid;
  wire take = s_axis_tvalid && s_axis_tready;

  reg in_frame;  // the first beat of the frame is taken
  reg enabled;  // what `enable` was then
  wire mark = in_frame ? enabled : enable;

  always @(posedge clk) begin
    if (take) begin
      in_frame <= !s_axis_tlast;
      enabled  <= mark;
    end
    if (rst) in_frame <= 1'b0;
  end

  generate
    if (BEATS > 0) begin : g_insert
      localparam COUNT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
      localparam [COUNT_BITS-1:0] LAST = BEATS[COUNT_BITS-1:0] - 1'b1;

      reg [COUNT_BITS-1:0] count;  // of the marker's beat to leave next
      reg marked;  // the marker has left, the frame has not begun
      wire insert = !in_frame && enable && !marked;

      assign s_axis_tready = advance && !insert;

      always @(posedge clk) begin
        if (advance) begin
          m_axis_tvalid <= s_axis_tvalid;
          m_axis_tdata  <= insert ? marker[count*DATA_WIDTH+:DATA_WIDTH] : s_axis_tdata;
          m_axis_tkeep  <= insert ? ALL : s_axis_tkeep;
          m_axis_tlast  <= s_axis_tlast && !insert;
          if (s_axis_tvalid) begin
            count  <= insert && count != LAST ? count + 1'b1 : {COUNT_BITS{1'b0}};
            marked <= insert && count == LAST;
          end
        end
        if (rst) begin
          m_axis_tvalid <= 1'b0;
          count <= {COUNT_BITS{1'b0}};
          marked <= 1'b0;
        end
      end
    end else begin : g_shift
      localparam MOVED = MARKER_OCTETS;
      localparam REST = LANES - MOVED;

      reg [8*MOVED-1:0] carry;  // the marker between frames
      reg [MOVED-1:0] carry_keep;
      reg tail;  // what is left of the last beat leaves next

      wire [LANES-1:0] keep = s_axis_tlast ? s_axis_tkeep : ALL;
      wire overflow = mark && keep[REST];
      wire ends = tail || (s_axis_tvalid && s_axis_tlast && !overflow);

      assign s_axis_tready = advance && !tail;

      always @(posedge clk) begin
        if (advance) begin
          m_axis_tvalid <= s_axis_tvalid || tail;
          m_axis_tlast  <= tail || (s_axis_tlast && !overflow);
          m_axis_tdata  <= mark || tail ? {s_axis_tdata[8*REST-1:0], carry} : s_axis_tdata;
          m_axis_tkeep  <= tail ? {{REST{1'b0}}, carry_keep} : mark ? {keep[REST-1:0], {MOVED{1'b1}}} : s_axis_tkeep;
          carry_keep    <= keep[LANES-1-:MOVED];
          tail          <= !tail && s_axis_tvalid && s_axis_tlast && overflow;
        end
        if (rst || (advance && ends)) carry <= marker;
        else if (advance && s_axis_tvalid && mark) carry <= s_axis_tdata[DATA_WIDTH-1-:8*MOVED];
        if (rst) begin
          m_axis_tvalid <= 1'b0;
          tail <= 1'b0;
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
