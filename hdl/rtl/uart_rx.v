// Receiver of an asynchronous serial line: 8 data bits, no parity, one stop bit, at any ratio of clock and baud rate.
//
//   rx --> 2 flip-flops --> majority of 3 --> level --> shift register --> octet, octet_valid
//                                               |             ^
//                                               v             |
//                                    start edge --> phase accumulator: a carry in the middle of each bit
//
// The phase runs by BAUD / CLOCK_HZ of a bit each cycle, so no ratio has to be whole. A start bit that is gone by its
// middle is a glitch; a stop bit that is not high is a framing error, and its octet is lost. After a break the line has
// to go high before the next start bit.
//
// Parameters   CLOCK_HZ  frequency of clk, at least 8 times BAUD
//              BAUD      bits per second on the line
// Latency      5 cycles from the middle of the stop bit to octet_valid, which is up for one cycle
`default_nettype none

module uart_rx #(
    parameter [31:0] CLOCK_HZ = 24_000_000,
    parameter [31:0] BAUD     = 3_000_000
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       rx,
    output reg  [7:0] octet,
    output reg        octet_valid,
    output reg        framing_error
);

  localparam PHASE_BITS = 20;
  // Only the low bits are not zero as long as the parameters are legal.
  // verilator lint_off UNUSEDPARAM
  localparam [63:0] RATIO = ((64'd1 << PHASE_BITS) * {32'd0, BAUD} + {33'd0, CLOCK_HZ[31:1]}) / {32'd0, CLOCK_HZ};
  // verilator lint_on UNUSEDPARAM
  localparam [PHASE_BITS-1:0] STEP = RATIO[PHASE_BITS-1:0];
  localparam [3:0] START = 4'd0, STOP = 4'd9;

  generate
    if (CLOCK_HZ / BAUD < 8) begin : g_bad_baud
      initial begin
        $display("%m: BAUD: expected at most an eighth of CLOCK_HZ %0d, found %0d", CLOCK_HZ, BAUD);
        $finish;
      end
    end
  endgenerate

  reg [4:0] line;  // the newest sample in bit 0; the first two settle
  wire level = (line[2] && line[3]) || (line[3] && line[4]) || (line[2] && line[4]);
  reg previous;

  reg busy;
  reg [3:0] at;  // the bit that comes next
  reg [PHASE_BITS-1:0] phase;
  wire [PHASE_BITS:0] sum = {1'b0, phase} + {1'b0, STEP};
  wire middle = busy && sum[PHASE_BITS];

  always @(posedge clk) begin
    line <= {line[3:0], rx};
    previous <= level;
    octet_valid <= middle && at == STOP && level;
    framing_error <= middle && at == STOP && !level;
    if (!busy) begin
      busy  <= previous && !level;
      at    <= START;
      phase <= {1'b1, {PHASE_BITS - 1{1'b0}}} + STEP;  // the middle of the start bit is half a bit away, less this cycle
    end else begin
      phase <= sum[PHASE_BITS-1:0];
      if (middle) begin
        at <= at + 1'b1;
        if (at == STOP || (at == START && level)) busy <= 1'b0;
        else octet <= {level, octet[7:1]};
      end
    end
    if (rst) begin
      line <= 5'h1F;
      previous <= 1'b1;
      busy <= 1'b0;
      octet_valid <= 1'b0;
      framing_error <= 1'b0;
    end
  end

endmodule

`default_nettype wire
