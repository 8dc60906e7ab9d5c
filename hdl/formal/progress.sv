// No deadlock: with a sink that takes, and octets on offer or inside, a beat is on offer within LIMIT cycles.
module progress #(
    parameter LIMIT = 1
) (
    input wire clk,
    input wire rst,
    input wire due,     // the sink takes, and there is something to take
    input wire tvalid
);

  reg [7:0] cycles;  // in a row in which nothing came
  always @(posedge clk) cycles <= rst || !due || tvalid ? 8'd0 : cycles + 8'd1;

  always @(*) begin
    if (!rst) assert (cycles <= LIMIT);
    if (!rst && due && !tvalid) assert (cycles < LIMIT);
  end

endmodule
