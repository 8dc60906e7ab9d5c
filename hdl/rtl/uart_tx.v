// Transmitter of an asynchronous serial line: 8 data bits, no parity, one stop bit, at any ratio of clock and baud rate.
//
//   s_axis --> shift register: start bit, 8 bits, low bit first, stop bit --> tx
//                    ^
//                    +-- phase accumulator: a carry at the end of each bit
//
// The phase runs by BAUD / CLOCK_HZ of a bit each cycle and goes on from octet to octet, so octets without a gap keep the
// baud rate exactly and a bit is off by a cycle at most.
//
// Parameters   CLOCK_HZ  frequency of clk, at least 2 times BAUD
//              BAUD      bits per second on the line
// Latency      2 cycles from the octet's handshake to the start bit
`default_nettype none

module uart_tx #(
    parameter [31:0] CLOCK_HZ = 24_000_000,
    parameter [31:0] BAUD     = 3_000_000
) (
    input wire clk,
    input wire rst,

    input  wire [7:0] s_axis_tdata,
    input  wire       s_axis_tvalid,
    output wire       s_axis_tready,

    output reg tx
);

  localparam PHASE_BITS = 20;
  // Only the low bits are not zero as long as the parameters are legal.
  // verilator lint_off UNUSEDPARAM
  localparam [63:0] RATIO = ((64'd1 << PHASE_BITS) * {32'd0, BAUD} + {33'd0, CLOCK_HZ[31:1]}) / {32'd0, CLOCK_HZ};
  // verilator lint_on UNUSEDPARAM
  localparam [PHASE_BITS-1:0] STEP = RATIO[PHASE_BITS-1:0];

  generate
    if (CLOCK_HZ / BAUD < 2) begin : g_bad_baud
      initial begin
        $display("%m: BAUD: expected at most half of CLOCK_HZ %0d, found %0d", CLOCK_HZ, BAUD);
        $finish;
      end
    end
  endgenerate

  reg [9:0] shift;
  reg [3:0] left;  // bits that are not over
  reg [PHASE_BITS-1:0] phase;
  wire [PHASE_BITS:0] sum = {1'b0, phase} + {1'b0, STEP};
  wire idle = left == 4'd0;
  wire bit_ends = !idle && sum[PHASE_BITS];

  assign s_axis_tready = idle || (left == 4'd1 && bit_ends);

  always @(posedge clk) begin
    tx <= shift[0];
    phase <= idle ? {PHASE_BITS{1'b0}} : sum[PHASE_BITS-1:0];
    if (s_axis_tvalid && s_axis_tready) begin
      shift <= {1'b1, s_axis_tdata, 1'b0};
      left  <= 4'd10;
    end else if (bit_ends) begin
      shift <= {1'b1, shift[9:1]};
      left  <= left - 1'b1;
    end
    if (rst) begin
      tx <= 1'b1;
      shift <= 10'h3FF;
      left <= 4'd0;
    end
  end

endmodule

`default_nettype wire
