// FIFO of words of any width in block RAM, filled ahead so that a word can leave in every cycle.
//
//   write, data --> memory --> read register --> word --> (pop)
//
// Words leave once they are released: `release_all` with a word lets it leave and all those before. There is no `full`:
// who writes looks at `level`, which counts all words inside and learns a cycle late that one has left. A write and a read
// never meet at one address.
//
// Parameters   WIDTH  bits of a word
//              DEPTH  words, a power of two
// Latency      3 cycles from `write` with `release_all` to `valid`
`default_nettype none

module word_fifo #(
    parameter WIDTH = 9,
    parameter DEPTH = 512
) (
    input  wire                       clk,
    input  wire                       rst,
    output reg  [$clog2(DEPTH+1)-1:0] level,
    input  wire                       write,
    input  wire                       release_all,
    input  wire [          WIDTH-1:0] data,
    output reg                        valid,
    output reg  [          WIDTH-1:0] word,
    input  wire                       pop
);

  localparam ADDRESS_BITS = $clog2(DEPTH);

  generate
    if (DEPTH < 4 || DEPTH != 1 << ADDRESS_BITS) begin : g_bad_depth
      initial begin
        $display("%m: DEPTH: expected a power of two from 4 on, found %0d", DEPTH);
        $finish;
      end
    end
  endgenerate

  (* ram_style = "block", no_rw_check *)
  reg [WIDTH-1:0] memory[0:DEPTH-1];
  reg [WIDTH-1:0] read;  // the memory's output
  reg read_valid, popped;
  // One bit more than an address, so that a full memory is not taken for an empty one.
  reg [ADDRESS_BITS:0] write_at, read_at, read_end;

  wire offer = read_valid && (pop || !valid);
  wire fetch = read_at != read_end && (pop || !valid || !read_valid);

  always @(posedge clk) if (write) memory[write_at[ADDRESS_BITS-1:0]] <= data;

  always @(posedge clk) if (fetch) read <= memory[read_at[ADDRESS_BITS-1:0]];

  always @(posedge clk) begin
    if (write) write_at <= write_at + 1'b1;
    if (write && release_all) read_end <= write_at + 1'b1;
    if (fetch) read_at <= read_at + 1'b1;
    read_valid <= fetch || (read_valid && !offer);
    if (offer) word <= read;
    valid  <= offer || (valid && !pop);
    popped <= pop;
    if (write && !popped) level <= level + 1'b1;
    else if (popped && !write) level <= level - 1'b1;
    if (rst) begin
      write_at <= {ADDRESS_BITS + 1{1'b0}};
      read_at <= {ADDRESS_BITS + 1{1'b0}};
      read_end <= {ADDRESS_BITS + 1{1'b0}};
      read_valid <= 1'b0;
      valid <= 1'b0;
      popped <= 1'b0;
      level <= {$clog2(DEPTH + 1) {1'b0}};
    end
  end

endmodule

`default_nettype wire
