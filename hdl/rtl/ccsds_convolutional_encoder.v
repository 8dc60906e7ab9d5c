// Convolutional encoder of CCSDS 131.0-B-5, section 3: constraint length 7, G1 = 171, G2 = 133 octal, all its rates.
//
//                                                      rate, place
//                                                        |     |
//                                                        v     v
//   s_axis --> C1, C2 of the octet --> next --> current --> window --> symbols that are sent --> octet --> m_axis
//                  ^
//                  +-- six bits before it
//
// Each octet of the output is made at once: its 8 symbols stem from 4 to 7 bits that begin at a place in `current`, and
// at any rate, each place goes with one step of the puncture period only. So rate and place say all about an output
// octet, and there is one in every cycle in which its bits are there.
//
// The symbols are packed into octets, the first on the line in bit 7, C1 before C2 (clauses 3.3 and 3.4). Rate 1/2
// sends the inverse of C2; the punctured rates invert nothing. State, place in the puncture period and unfinished octet
// run on from frame to frame. m_axis_tlast marks the last octet that the frame's own bits complete; the symbols beyond
// it, less than 8, leave with the next frame. A frame has such an octet even if it is a single octet long.
//
// Settings     rate        0: octets pass as they are, and so for 6 and 7; 1: 1/2; 2: 2/3; 3: 3/4; 4: 5/6; 5: 7/8.
//                          Seen when the first octet of a frame is offered. If it is not the rate in use, that octet
//                          waits until the last octet of the frame before is made up, and for a cycle more;
//                          then a new stream begins as after a reset: all-zero state, start of the puncture period. The
//                          symbols of an unfinished octet are dropped.
// Parameters   DATA_WIDTH  8
// Latency      4 cycles
`default_nettype none

module ccsds_convolutional_encoder #(
    parameter DATA_WIDTH = 8
) (
    input wire       clk,
    input wire       rst,
    input wire [2:0] rate,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    // An octet that is offered is there.
    // verilator lint_off UNUSEDSIGNAL
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    // verilator lint_on UNUSEDSIGNAL
    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire                    s_axis_tlast,

    output reg  [  DATA_WIDTH-1:0] m_axis_tdata,
    output wire [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output reg                     m_axis_tvalid,
    input  wire                    m_axis_tready,
    output reg                     m_axis_tlast
);

  localparam [2:0] HALF = 3'd1, TWO_THIRDS = 3'd2, THREE_QUARTERS = 3'd3, FIVE_SIXTHS = 3'd4, SEVEN_EIGHTHS = 3'd5;

  generate
    if (DATA_WIDTH != 8) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, found %0d", DATA_WIDTH);
        $finish;
      end
    end
  endgenerate

  reg [2:0] stream_rate;  // the rate in use
  reg [2:0] place;  // in `current`, of the first bit that has a symbol in the output octet to come
  reg in_frame;  // the first octet of the frame is taken
  reg [5:0] state;
  reg next_valid, next_last, current_valid, current_last;
  reg [7:0] next_c1, next_c2, current_c1, current_c2;
  reg window_valid, window_last;
  reg [2:0] window_rate, window_place;
  reg [7:0] a;  // C1 of the window's bits, the first in bit 0
  reg [5:0] b;  // C2

  // ---- what the output octet takes
  // A symbol pair may be divided between two octets: its bit is needed by both, and used up by the second.
  function [3:0] needed;
    input [2:0] r, at;
    case (r)
      HALF: needed = 4'd4;
      TWO_THIRDS: needed = at == 3'd0 ? 4'd5 : 4'd6;
      THREE_QUARTERS: needed = 4'd6;
      FIVE_SIXTHS: needed = at == 3'd0 || at == 3'd4 ? 4'd6 : 4'd7;
      SEVEN_EIGHTHS: needed = 4'd7;
      default: needed = 4'd8;
    endcase
  endfunction

  function [3:0] used;
    input [2:0] r, at;
    used = r == TWO_THIRDS && at == 3'd5 ? 4'd5 : needed(r, at);
  endfunction

  // What follows from the rate and the place, as tables, for speed. Counts are of bits from the start of `current`.
  wire [63:0] in_current;  // the octet takes nothing from `next`
  wire [63:0] done;  // it uses `current` up
  wire [63:0] ends_current, ends_next;  // the octet to come after it needs bits beyond `current`, beyond `next`
  wire [191:0] place_after;
  genvar i;
  generate
    for (i = 0; i < 64; i = i + 1) begin : g_entry
      localparam ENTRY = i;
      localparam [2:0] RATE = ENTRY[5:3];
      localparam [2:0] PLACE = ENTRY[2:0];
      localparam [4:0] STOP = {2'd0, PLACE} + {1'b0, needed(RATE, PLACE)};
      localparam [4:0] AFTER = {2'd0, PLACE} + {1'b0, used(RATE, PLACE)};
      localparam [4:0] STOP_AFTER = AFTER + {1'b0, needed(RATE, AFTER[2:0])};
      assign in_current[i] = STOP <= 5'd8;
      assign done[i] = AFTER >= 5'd8;
      assign ends_current[i] = STOP <= 5'd8 && STOP_AFTER > 5'd8;
      assign ends_next[i] = STOP_AFTER > 5'd16;
      assign place_after[3*i+:3] = AFTER[2:0];
    end
  endgenerate

  wire [5:0] entry = {stream_rate, place};
  wire enough = current_valid && (in_current[entry] || next_valid);
  wire advance = m_axis_tready || !m_axis_tvalid;
  wire emit = enough && (advance || !window_valid);
  wire move = next_valid && (!current_valid || (emit && done[entry]));

  // A frame ends with the octet that its last bit completes; if that is a bit of `next`, `next` is valid by then.
  wire last = (current_last && ends_current[entry]) || (next_last && ends_next[entry]);

  // ---- C1 and C2 of an octet; bit 0 is the first on the line
  wire [13:0] line;
  assign line[5:0] = state;
  generate
    for (i = 0; i < 8; i = i + 1) begin : g_line
      assign line[6+i] = s_axis_tdata[7-i];
    end
  endgenerate
  wire [7:0] c1 = line[13:6] ^ line[12:5] ^ line[11:4] ^ line[10:3] ^ line[7:0];
  wire [7:0] c2 = line[13:6] ^ line[11:4] ^ line[10:3] ^ line[8:1] ^ line[7:0];
  wire coded = stream_rate >= HALF && stream_rate <= SEVEN_EIGHTHS;

  // ---- the window, and which of its symbols are sent
  // No octet takes more bits than this.
  // verilator lint_off UNUSEDSIGNAL
  wire [15:0] ahead_c1 = {next_c1, current_c1} >> place;
  wire [15:0] ahead_c2 = {next_c2, current_c2} >> place;
  // verilator lint_on UNUSEDSIGNAL
  reg [7:0] symbols;
  always @* begin
    case (window_rate)
      HALF: symbols = {a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]};
      TWO_THIRDS:
      case (window_place)
        3'd0: symbols = {a[0], b[0], b[1], a[2], b[2], b[3], a[4], b[4]};
        3'd5: symbols = {b[0], a[1], b[1], b[2], a[3], b[3], b[4], a[5]};
        default: symbols = {b[0], b[1], a[2], b[2], b[3], a[4], b[4], b[5]};
      endcase
      THREE_QUARTERS: symbols = {a[0], b[0], b[1], a[2], a[3], b[3], b[4], a[5]};
      FIVE_SIXTHS:
      case (window_place)
        3'd0, 3'd4: symbols = {a[0], b[0], b[1], a[2], b[3], a[4], a[5], b[5]};
        3'd6, 3'd2: symbols = {b[0], a[1], b[2], a[3], a[4], b[4], b[5], a[6]};
        default: symbols = {b[0], a[1], a[2], b[2], b[3], a[4], b[5], a[6]};
      endcase
      SEVEN_EIGHTHS: symbols = {a[0], b[0], b[1], b[2], b[3], a[4], b[5], a[6]};
      default: symbols = {a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]};
    endcase
  end

  // ---- a change of rate begins a new stream as soon as no whole octet is left of the old one
  wire other_rate = !in_frame && rate != stream_rate;
  wire restart = other_rate && s_axis_tvalid && !next_valid && !enough;

  assign s_axis_tready = !other_rate && (move || !next_valid);
  assign m_axis_tkeep  = 1'b1;

  always @(posedge clk) begin
    if (s_axis_tready) begin
      next_valid <= s_axis_tvalid;
      next_last  <= s_axis_tlast;
      next_c1    <= coded ? c1 : line[13:6];
      next_c2    <= c2 ^ {8{stream_rate == HALF}};
      if (s_axis_tvalid) begin
        state <= line[13:8];
        in_frame <= !s_axis_tlast;
      end
    end else if (move) begin
      next_valid <= 1'b0;
    end
    if (move) begin
      current_c1   <= next_c1;
      current_c2   <= next_c2;
      current_last <= next_last;
    end
    current_valid <= move || (current_valid && !(emit && done[entry]));
    if (emit) begin
      place <= place_after[3*entry+:3];
      window_rate <= stream_rate;
      window_place <= place;
      window_last <= last;
      a <= ahead_c1[7:0];
      b <= ahead_c2[5:0];
    end
    window_valid <= emit || (window_valid && !advance);
    if (advance) begin
      m_axis_tvalid <= window_valid;
      m_axis_tdata  <= symbols;
      m_axis_tlast  <= window_last;
    end
    if (restart) stream_rate <= rate;
    if (rst || restart) begin
      current_valid <= 1'b0;
      place <= 3'd0;
      state <= 6'd0;
    end
    if (rst) begin
      stream_rate <= 3'd0;
      in_frame <= 1'b0;
      next_valid <= 1'b0;
      window_valid <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
