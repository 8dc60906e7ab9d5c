// An invariant: where a register of the module holds the followed octet (octet_tracker), it holds it unchanged.
//
// Induction starts from any state, also from those that are never reached. Placing every octet that is inside in one
// of the module's registers excludes them. `before` octets leave before those of this register; `after` is for the next.
module octet_place #(
    parameter LANES = 1,
    parameter BITS  = 4
) (
    input  wire               rst,
    input  wire               tracking,
    input  wire [   BITS-1:0] ahead,
    input  wire [        7:0] octet,
    input  wire               last,
    input  wire [   BITS-1:0] before,
    input  wire               valid,
    input  wire [8*LANES-1:0] data,
    input  wire [  LANES-1:0] keep,
    input  wire               ends,
    output reg  [   BITS-1:0] after
);

  integer n;
  always @(*) begin
    after = before;
    for (n = 0; n < LANES; n = n + 1) after = after + (valid && keep[n]);
  end

  always @(*) begin
    if (!rst) begin
      if (valid) assert (keep[0] && (keep & (keep + 1'b1)) == 0);
      if (tracking && ahead >= before && ahead < after) begin
        assert (data[8*(ahead-before)+:8] == octet);
        assert (last == (ends && ahead == after - 1'b1));
      end
    end
  end

endmodule
