// The rules of one AXI4-Stream (AMBA AXI4-Stream, 2.2.1): what is offered and not taken stays as it is; a beat's octets
// fill its lanes from lane 0 on, and all of them but for the last beat of a frame.
//
// Parameters   LANES    octets of a beat
//              ASSUMED  1: assumed, for a stream that comes in; 0: asserted, for one that goes out
module stream_rules #(
    parameter LANES   = 1,
    parameter ASSUMED = 0
) (
    input wire               clk,
    input wire               rst,
    input wire [8*LANES-1:0] tdata,
    input wire [  LANES-1:0] tkeep,
    input wire               tvalid,
    input wire               tready,
    input wire               tlast
);

  reg waits;
  reg [9*LANES:0] offered;
  always @(posedge clk) begin
    waits   <= !rst && tvalid && !tready;
    offered <= {tdata, tkeep, tlast};
  end

  wire held = !waits || (tvalid && offered == {tdata, tkeep, tlast});
  wire packed_low = tkeep[0] && (tkeep & (tkeep + 1'b1)) == 0;
  wire full = tlast || &tkeep;

  always @(*) begin
    if (!rst) begin
      if (ASSUMED) begin
        assume (held);
        if (tvalid) assume (packed_low && full);
      end else begin
        assert (held);
        if (tvalid) assert (packed_low && full);
      end
    end
  end

endmodule
