// Synchronous reset from an asynchronous `ready`: up at once, down 16 cycles after the clock runs and `ready` has come.
//
//   ready --> 16 flip-flops, cleared by !ready --> rst
//
// Latency      0 cycles up, 16 cycles down
`default_nettype none

module reset_release (
    input  wire clk,
    input  wire ready,
    output wire rst
);

  reg [15:0] held;
  initial held = 16'hFFFF;  // should `ready` be there before the configuration ends
  always @(posedge clk or negedge ready)
    if (!ready) held <= 16'hFFFF;
    else held <= {held[14:0], 1'b0};

  assign rst = held[15];

endmodule

`default_nettype wire
