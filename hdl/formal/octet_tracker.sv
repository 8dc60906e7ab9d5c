// Follows one arbitrary octet through a module: no octet is lost, invented, changed or overtaken, and frames end where
// they should.
//
// In any cycle the solver may choose an octet of those that enter. From then on `ahead` counts the octets that must leave
// before it; when its turn comes, it must be there, with the same value, and be the last of a frame if it was to be.
// What a module adds to the stream enters here as if the source had sent it.
//
// Parameters   PUSH  octets that may enter in a cycle
//              POP   lanes of the output
//              BITS  of the counts of octets
module octet_tracker #(
    parameter PUSH = 1,
    parameter POP  = 1,
    parameter BITS = 4
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [  BITS-1:0] push,         // octets that enter, the first in the low bits
    input  wire [8*PUSH-1:0] push_octets,
    input  wire              push_last,    // the last of them ends a frame
    input  wire              pop,          // a beat leaves
    input  wire [ 8*POP-1:0] pop_octets,
    input  wire [   POP-1:0] pop_keep,
    input  wire              pop_last,
    output reg  [  BITS-1:0] inside,       // octets that have entered and not left
    output reg               tracking,
    output reg  [  BITS-1:0] ahead,
    output reg  [       7:0] octet,
    output reg               last
);

  (* anyseq *) wire choose;
  (* anyseq *) wire [BITS-1:0] which;

  reg [BITS-1:0] popped;
  integer n;
  always @(*) begin
    popped = 0;
    for (n = 0; n < POP; n = n + 1) popped = popped + (pop && pop_keep[n]);
  end

  wire leaves = tracking && popped > ahead;

  always @(posedge clk) begin
    inside <= inside + push - popped;
    if (tracking) begin
      ahead <= ahead - popped;
      if (leaves) tracking <= 1'b0;
    end else if (choose && which < push) begin
      tracking <= 1'b1;
      ahead <= inside - popped + which;
      octet <= push_octets[8*which+:8];
      last <= push_last && which == push - 1'b1;
    end
    if (rst) begin
      inside   <= 0;
      tracking <= 1'b0;
    end
  end

  always @(*) begin
    if (!rst) begin
      assert (popped <= inside);
      if (tracking) assert (ahead < inside);
      if (leaves) begin
        assert (pop_octets[8*ahead+:8] == octet);
        assert (last == (pop_last && ahead == popped - 1'b1));
      end
      cover (leaves && last && inside > 1);
    end
  end

endmodule
