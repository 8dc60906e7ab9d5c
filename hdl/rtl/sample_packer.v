// Cuts the encoder's output into SAMPLES messages.
//
//   s_axis --> block RAM, up to OCTETS or the codeblock's end --> 0xC0, sequence, flags, octets --> m_axis
//
// Flags: bit 0 the first octets of a codeblock, bit 1 its last. A message is offered when its octets are all there, as its
// length goes ahead; meanwhile the encoder waits, so nothing is ever lost and the overrun flag (bit 2) stays low.
//
// Parameters   OCTETS   most octets of a message, at most 232: with 22 more the packet has 254, one COBS block
// Latency      3 cycles from the last octet in to m_axis_tvalid; m_axis has an octet every third cycle
`default_nettype none

module sample_packer #(
    parameter OCTETS = 232
) (
    input wire clk,
    input wire rst,

    input  wire [7:0] s_axis_tdata,
    input  wire       s_axis_tvalid,
    output wire       s_axis_tready,
    input  wire       s_axis_tlast,

    output wire [13:0] count,
    output wire [ 7:0] octets,
    output reg  [ 7:0] m_axis_tdata,
    output reg         m_axis_tvalid,
    input  wire        m_axis_tready,
    output reg         m_axis_tlast
);

  localparam [7:0] SAMPLES = 8'hC0, HEAD = 8'd6;
  localparam [7:0] MOST = OCTETS[7:0];

  generate
    if (OCTETS < 1 || OCTETS > 232) begin : g_bad_octets
      initial begin
        $display("%m: OCTETS: expected 1 to 232, found %0d", OCTETS);
        $finish;
      end
    end
  endgenerate

  reg [7:0] memory[0:255];
  reg sending;
  reg [7:0] held;  // octets in memory
  reg [7:0] at;  // octet of the message
  reg first, last;
  reg [31:0] sequence_number;

  assign s_axis_tready = !sending;
  wire take = s_axis_tvalid && s_axis_tready;

  assign count = sequence_number[13:0];
  assign octets = held + HEAD;

  reg fetching;
  wire fetch = sending && !fetching && !m_axis_tvalid;
  reg [7:0] head_octet, memory_octet;
  reg in_head;

  always @(posedge clk) if (take) memory[held] <= s_axis_tdata;
  always @(posedge clk) memory_octet <= memory[at-HEAD];

  always @(posedge clk) begin
    if (take) begin
      held <= held + 1'b1;
      last <= s_axis_tlast;
      sending <= s_axis_tlast || held == MOST - 1'b1;
    end

    in_head <= at < HEAD;
    case (at[2:0])
      3'd0: head_octet <= SAMPLES;
      3'd1: head_octet <= sequence_number[31:24];
      3'd2: head_octet <= sequence_number[23:16];
      3'd3: head_octet <= sequence_number[15:8];
      3'd4: head_octet <= sequence_number[7:0];
      default: head_octet <= {6'd0, last, first};
    endcase

    fetching <= fetch;
    if (fetching) begin
      at <= at + 1'b1;
      m_axis_tdata <= in_head ? head_octet : memory_octet;
      m_axis_tlast <= at == octets - 1'b1;
      m_axis_tvalid <= 1'b1;
    end
    if (m_axis_tvalid && m_axis_tready) begin
      m_axis_tvalid <= 1'b0;
      if (m_axis_tlast) begin
        at <= 8'd0;
        held <= 8'd0;
        first <= last;
        sequence_number <= sequence_number + 1'b1;
        sending <= 1'b0;
      end
    end

    if (rst) begin
      sending <= 1'b0;
      held <= 8'd0;
      at <= 8'd0;
      first <= 1'b1;
      sequence_number <= 32'd0;
      fetching <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
