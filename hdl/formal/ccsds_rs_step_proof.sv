// The linear step of the Reed-Solomon encoder (systematic_check with the rows of ccsds_rs_rows.vh, a symbol at a time) equals
// the division of the polynomial by the generator of CCSDS 131.0-B-5, clause 4.3.3, from every state and for every symbol;
// in the dual basis it is the same step seen through the basis change of clause 4.3.9.
//
// The division is written out with the multiplication of the field and the generator's coefficients as powers of alpha. What
// goes in waits in `feedback`, the symbol added to the leading coefficient, until the next symbol comes or the frame has
// ended: `next` is the step. Nothing is assumed of the state, of the inputs or of their order.
module ccsds_rs_step_proof #(
    parameter E          = 16,
    parameter DUAL_BASIS = 1
) (
    input wire       clk,
    input wire       advance,
    input wire [7:0] symbol,   // in the module's basis, as everything but the field's own functions
    input wire       load,
    input wire       first,
    input wire       last,
    input wire       shift
);

  `include "ccsds_rs_rows.vh"

  localparam BITS = 16 * E;
  localparam ROWS_BITS = 1024 * E;
  localparam FIRST_ROW = (E == 16 ? 0 : 32768) + (DUAL_BASIS != 0 ? 0 : ROWS_BITS);

  // ---- GF(256) of x^8 + x^7 + x^2 + x + 1
  function [7:0] times_alpha;
    input [7:0] a;
    times_alpha = {a[6:0], 1'b0} ^ (a[7] ? 8'h87 : 8'h00);
  endfunction

  function [7:0] product;
    input [7:0] a, b;
    integer n;
    begin
      product = 8'h00;
      for (n = 7; n >= 0; n = n - 1) product = times_alpha(product) ^ (b[n] ? a : 8'h00);
    end
  endfunction

  function [7:0] power;
    input integer exponent;
    integer n;
    begin
      power = 8'h01;
      for (n = 0; n < exponent; n = n + 1) power = times_alpha(power);
    end
  endfunction

  // Exponents of G0 ... GE; the generator reads the same backwards.
  function integer exponent;
    input integer n;
    integer half;
    begin
      half = n > E ? 2 * E - n : n;
      if (E == 16) begin
        case (half)
          0: exponent = 0;
          1: exponent = 249;
          2: exponent = 59;
          3: exponent = 66;
          4: exponent = 4;
          5: exponent = 43;
          6: exponent = 126;
          7: exponent = 251;
          8: exponent = 97;
          9: exponent = 30;
          10: exponent = 3;
          11: exponent = 213;
          12: exponent = 50;
          13: exponent = 66;
          14: exponent = 170;
          15: exponent = 5;
          default: exponent = 24;
        endcase
      end else begin
        case (half)
          0: exponent = 0;
          1: exponent = 30;
          2: exponent = 230;
          3: exponent = 49;
          4: exponent = 235;
          5: exponent = 129;
          6: exponent = 81;
          7: exponent = 76;
          default: exponent = 173;
        endcase
      end
    end
  endfunction

  // A symbol as the module has it; rows of T for alpha^7 ... alpha^0.
  function [7:0] seen;
    input [7:0] a;
    seen = DUAL_BASIS == 0 ? a
         : (a[7] ? 8'h8D : 8'h00) ^ (a[6] ? 8'hEF : 8'h00) ^ (a[5] ? 8'hEC : 8'h00) ^ (a[4] ? 8'h86 : 8'h00)
         ^ (a[3] ? 8'hFA : 8'h00) ^ (a[2] ? 8'h99 : 8'h00) ^ (a[1] ? 8'hAF : 8'h00) ^ (a[0] ? 8'h7B : 8'h00);
  endfunction

  // The way back: rows for bit 7 ... bit 0.
  function [7:0] unseen;
    input [7:0] a;
    unseen = DUAL_BASIS == 0 ? a
           : (a[7] ? 8'hC5 : 8'h00) ^ (a[6] ? 8'h42 : 8'h00) ^ (a[5] ? 8'h2E : 8'h00) ^ (a[4] ? 8'hFD : 8'h00)
           ^ (a[3] ? 8'hF0 : 8'h00) ^ (a[2] ? 8'h79 : 8'h00) ^ (a[1] ? 8'hAC : 8'h00) ^ (a[0] ? 8'hCC : 8'h00);
  endfunction

  // A symbol times a constant: the sum of the products of its bits, which `rows` has, bit 0's in the low bits.
  function [7:0] times;
    input [7:0] a;
    input [63:0] rows;
    times = (((a[0] ? rows[0+:8] : 8'h00) ^ (a[1] ? rows[8+:8] : 8'h00))
             ^ ((a[2] ? rows[16+:8] : 8'h00) ^ (a[3] ? rows[24+:8] : 8'h00)))
          ^ (((a[4] ? rows[32+:8] : 8'h00) ^ (a[5] ? rows[40+:8] : 8'h00))
             ^ ((a[6] ? rows[48+:8] : 8'h00) ^ (a[7] ? rows[56+:8] : 8'h00)));
  endfunction

  // The change of basis is linear, and the way back is one: a step in one basis is the step in the other.
  (* anyconst *) wire [7:0] one, other;
  always @(*) begin
    assert (seen(one ^ other) == (seen(one) ^ seen(other)));
    assert (unseen(seen(one)) == one);
  end

  wire [7:0] check;
  systematic_check #(
      .DATA_WIDTH(8),
      .SYMBOLS   (2 * E),
      .ROWS      (RS_ROWS[FIRST_ROW+:ROWS_BITS])
  ) dut (
      .clk    (clk),
      .advance(advance),
      .octets (symbol),
      .load   (load),
      .first  (first),
      .last   (last),
      .shift  (shift),
      .check  (check)
  );
  (* hierconn *) wire [BITS-1:0] \dut.register ;
  (* hierconn *) wire [BITS-1:0] \dut.next ;
  (* hierconn *) wire [7:0] \dut.feedback ;
  (* hierconn *) wire \dut.pending ;
  (* hierconn *) wire \dut.pending_first ;
  (* hierconn *) wire \dut.pending_last ;

  // ---- the step, from whatever the registers hold: the highest coefficient is in the high bits
  wire [BITS-1:0] dividend = \dut.pending_first ? {BITS{1'b0}} : \dut.register ;
  wire [BITS-1:0] divided;
  genvar n;
  generate
    for (n = 0; n < 2 * E; n = n + 1) begin : coefficient
      localparam [7:0] G = power(exponent(n));
      localparam [63:0] ROWS = {
        seen(product(unseen(8'h80), G)),
        seen(product(unseen(8'h40), G)),
        seen(product(unseen(8'h20), G)),
        seen(product(unseen(8'h10), G)),
        seen(product(unseen(8'h08), G)),
        seen(product(unseen(8'h04), G)),
        seen(product(unseen(8'h02), G)),
        seen(product(unseen(8'h01), G))
      };
      wire [7:0] term = times(\dut.feedback , ROWS);
      if (n == 0) assign divided[7:0] = term;
      else assign divided[8*n+:8] = dividend[8*(n-1)+:8] ^ term;
      // the generator reads the same backwards: its first half has every coefficient
      if (DUAL_BASIS == 0 && n <= E) begin : is_linear
        always @(*) assert (product(one, G) == times(one, ROWS));
      end
    end
  endgenerate
  always @(*) assert (\dut.next == divided);

  // ---- what makes the step: the symbol and the leading coefficient of what is divided go in, and come out a beat later
  reg began;
  reg was_advance, was_load, was_shift, was_first, was_last;
  reg was_taken, was_ending;  // the waiting beat was taken in; it was the last of its frame
  reg [BITS-1:0] was_register, was_next;
  reg [7:0] was_feedback, leading;
  initial began = 1'b0;
  always @(posedge clk) begin
    began <= 1'b1;
    {was_advance, was_load, was_shift, was_first, was_last} <= {advance, load, shift, first, last};
    was_taken <= \dut.pending && (load || \dut.pending_last );
    was_ending <= \dut.pending_last ;
    was_register <= \dut.register ;
    was_next <= \dut.next ;
    was_feedback <= \dut.feedback ;
    leading <= symbol ^ (first ? 8'h00 : \dut.next [BITS-1-:8]);
  end
  always @(*) begin
    if (began) begin
      if (was_advance && (was_taken || was_shift)) assert (\dut.register == was_next);
      else assert (\dut.register == was_register);
      if (was_advance && was_load) begin
        assert (\dut.feedback == leading);
        assert ({\dut.pending , \dut.pending_first , \dut.pending_last } == {1'b1, was_first, was_last});
      end else if (was_advance && was_ending) begin
        assert (\dut.feedback == 8'h00 && !\dut.pending && !\dut.pending_first && !\dut.pending_last );
      end else begin
        assert (\dut.feedback == was_feedback);
      end
      cover (was_taken && was_advance && \dut.register != 0);
    end
    assert (check == \dut.register [BITS-1-:8]);
  end

endmodule
