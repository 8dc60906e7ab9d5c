// The linear step of the Reed-Solomon encoder (systematic_check with the rows of ccsds_rs_rows.vh, a symbol at a time) equals
// the division of the polynomial by the generator of CCSDS 131.0-B-5, clause 4.3.3, from every state and for every symbol;
// in the dual basis it is the same step seen through the basis change of clause 4.3.9.
//
// The division is written out with the multiplication of the field and the generator's coefficients as powers of alpha. A
// beat waits in the module until the next one comes: the state is what the register will hold.
module ccsds_rs_step_proof #(
    parameter E          = 16,
    parameter DUAL_BASIS = 1
) (
    input wire       clk,
    input wire       advance,
    input wire [7:0] symbol,   // in the conventional basis
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

  // ---- division, a symbol at a time: remainders with the highest coefficient in the high bits
  reg [BITS-1:0] dividend;
  reg [7:0] quotient;
  reg begun, pending, pending_first, pending_last;
  wire [BITS-1:0] divided;
  wire [BITS-1:0] remainder = pending ? divided : dividend;
  wire [BITS-1:0] from = first ? {BITS{1'b0}} : remainder;
  genvar n;
  wire [BITS-1:0] dividend_seen, remainder_seen, divided_seen;
  generate
    for (n = 0; n < 2 * E; n = n + 1) begin : coefficient
      localparam [7:0] G = power(exponent(n));
      wire [7:0] term = product(quotient, G);
      assign dividend_seen[8*n+:8] = seen(dividend[8*n+:8]);
      assign remainder_seen[8*n+:8] = seen(remainder[8*n+:8]);
      if (n == 0) begin
        assign divided[7:0] = term;
        assign divided_seen[7:0] = seen(term);
      end else begin
        assign divided[8*n+:8] = dividend[8*(n-1)+:8] ^ term;
        assign divided_seen[8*n+:8] = dividend_seen[8*(n-1)+:8] ^ seen(term);
      end
    end
  endgenerate

  // How a frame uses the register: its symbols from `first` to `last`, then its check moves out, which may go on while
  // the first beat of the next frame waits.
  initial assume (!begun);
  always @(*) begin
    if (load && !first) assume (begun && pending && !pending_last);
    if (load && shift) assume (first);
    if (shift && pending) assume (pending_first || pending_last);
  end

  always @(posedge clk) begin
    if (advance) begin
      if (load) begin
        begun <= 1'b1;
        dividend <= from;
        quotient <= symbol ^ from[BITS-1-:8];
      end else if (pending_last) begin
        dividend <= remainder;
      end else if (shift && !pending) begin
        dividend <= dividend << 8;
      end
      if (load || pending_last) begin
        pending <= load;
        pending_first <= load && first;
        pending_last <= load && last;
      end
    end
  end

  wire [7:0] check;
  systematic_check #(
      .DATA_WIDTH(8),
      .SYMBOLS   (2 * E),
      .ROWS      (RS_ROWS[FIRST_ROW+:ROWS_BITS])
  ) dut (
      .clk    (clk),
      .advance(advance),
      .octets (seen(symbol)),
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

  always @(*) begin
    if (begun) begin
      // the step: what the register will hold, and that the basis change is linear
      if (pending) assert (\dut.next == divided_seen);
      if (pending) assert (divided_seen == remainder_seen);
      if (pending_first) assert (dividend == 0);
      else assert (\dut.register == dividend_seen);
      assert (\dut.feedback == (pending ? seen(quotient) : 8'h00));
      assert (check == \dut.register [BITS-1-:8]);
      assert (pending || (!pending_first && !pending_last));
      assert ({pending, pending_first, pending_last} == {\dut.pending , \dut.pending_first , \dut.pending_last });
    end
    cover (begun && !pending && remainder != 0);
  end

endmodule
