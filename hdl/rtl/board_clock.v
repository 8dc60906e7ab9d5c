// The device's own time: microseconds for time tags, milliseconds for the uptime, from 0 at reset.
//
//   clk --> / CLOCK_HZ / 10^6 --> time_us
//                            \--> / 1000 --> uptime_ms
//
// Parameters   CLOCK_HZ  frequency of clk, a whole number of MHz, at least 2
`default_nettype none

module board_clock #(
    parameter CLOCK_HZ = 24_000_000
) (
    input  wire        clk,
    input  wire        rst,
    output reg  [47:0] time_us,
    output reg  [31:0] uptime_ms
);

  localparam CYCLES = CLOCK_HZ / 1_000_000;
  localparam BITS = $clog2(CYCLES + 1);
  localparam [BITS-1:0] LAST = CYCLES[BITS-1:0] - 1'b1;

  generate
    if (CYCLES < 2 || CYCLES * 1_000_000 != CLOCK_HZ) begin : g_bad_clock
      initial begin
        $display("%m: CLOCK_HZ: expected a whole number of MHz from 2 on, found %0d", CLOCK_HZ);
        $finish;
      end
    end
  endgenerate

  reg [BITS-1:0] cycle;
  reg [9:0] us;
  reg us_over, ms_over;

  always @(posedge clk) begin
    us_over <= cycle == LAST;
    cycle   <= cycle == LAST ? {BITS{1'b0}} : cycle + 1'b1;
    ms_over <= us_over && us == 10'd999;
    if (us_over) begin
      us <= us == 10'd999 ? 10'd0 : us + 1'b1;
      time_us <= time_us + 1'b1;
    end
    if (ms_over) uptime_ms <= uptime_ms + 1'b1;
    if (rst) begin
      cycle <= {BITS{1'b0}};
      us_over <= 1'b0;
      ms_over <= 1'b0;
      us <= 10'd0;
      time_us <= 48'd0;
      uptime_ms <= 32'd0;
    end
  end

endmodule

`default_nettype wire
