// Control and status of the encoder on an APB3 bus (AMBA 3 APB, IHI 0024B): settings, identity, counters.
//
//   APB --> address decoder --> control --> to the chain, when it is empty
//              ^
//              +-- identity, capabilities, counters <-- events of the chain
//
//   0x00 ID                "BLTM"                                    0x20 FRAMES_IN       0x34 OUTPUT_STALLS cycles
//   0x04 VERSION           major, minor, patch, 0                    0x24 FRAMES_OUT      0x38 LENGTH_ERRORS
//   0x08 CAPABILITIES      7:0 octets a beat, 15:8 E, 23:16          0x28 OCTETS_IN
//                          interleave, 24 dual basis, 25 C2,         0x2C OCTETS_OUT
//                          26 convolutional                          0x30 INPUT_STALLS cycles
//   0x0C FRAME_OCTETS      information octets of a codeblock
//   0x10 CODEBLOCK_OCTETS
//   0x14 CONTROL    r/w    0 CRC, 1 block code, 3:2 randomizer (1: 255, 2: 131071), 4 sync marker, 7:5 convolutional rate
//   0x18 STATUS     r/w    0 length error (write 1 to clear), 1 busy: frames are inside, or new settings wait
//
// Parameters   CAPABILITIES, FRAME_OCTETS, CODEBLOCK_OCTETS  what these registers say
// Latency      one wait state; a read shows the counters as they were two cycles ago; they wrap at 2^32
`default_nettype none

module ccsds_registers #(
    parameter [31:0] CAPABILITIES     = 32'h0101_1001,
    parameter [31:0] FRAME_OCTETS     = 32'd223,
    parameter [31:0] CODEBLOCK_OCTETS = 32'd255,
    parameter [31:0] VERSION          = 32'h0001_0000
) (
    input wire clk,
    input wire rst,

    input  wire        psel,
    input  wire        penable,
    input  wire        pwrite,
    input  wire [ 7:0] paddr,
    // Bits 31:8 are reserved in every register that can be written: what is written there is dropped, as APB allows.
    // verilator lint_off UNUSEDSIGNAL
    input  wire [31:0] pwdata,
    // verilator lint_on UNUSEDSIGNAL
    output reg  [31:0] prdata,
    output reg         pready,
    output reg         pslverr,

    output reg  [7:0] control,
    output wire       control_written,  // `control` is as written from the next cycle on

    input wire       busy,
    input wire       frame_in,
    input wire [3:0] octets_in,
    input wire       input_stall,
    input wire       frame_out,
    input wire [3:0] octets_out,
    input wire       output_stall,
    input wire       length_error
);

  localparam [7:0] CONTROL_AT_RESET = 8'b000_1_10_1_1;

  reg [31:0] frames_in, frames_out, octets_in_sum, octets_out_sum, input_stalls, output_stalls, length_errors;
  reg wrong_length;

  // The answer takes the setup phase and the wait state: a register before the table and one behind it. Where there is no
  // register, it is an error and any data.
  reg [7:0] address;
  wire write = psel && penable && pwrite && pready;
  assign control_written = write && address == 8'h14;

  always @(posedge clk) begin
    address <= paddr;
    pready <= psel && penable && !pready;
    case (address[5:2])
      4'h0:   prdata <= 32'h424C_544D;
      4'h1:   prdata <= VERSION;
      4'h2:   prdata <= CAPABILITIES;
      4'h3:   prdata <= FRAME_OCTETS;
      4'h4:   prdata <= CODEBLOCK_OCTETS;
      4'h5:   prdata <= {24'd0, control};
      4'h6:   prdata <= {30'd0, busy, wrong_length};
      4'h8:   prdata <= frames_in;
      4'h9:   prdata <= frames_out;
      4'hA:   prdata <= octets_in_sum;
      4'hB:   prdata <= octets_out_sum;
      4'hC:   prdata <= input_stalls;
      4'hD:   prdata <= output_stalls;
      4'hE:   prdata <= length_errors;
      default: prdata <= 32'd0;
    endcase
    pslverr <= address[1:0] != 2'd0 || address > 8'h38 || address == 8'h1C
            || (pwrite && address != 8'h14 && address != 8'h18);

    frames_in <= frames_in + {31'd0, frame_in};
    frames_out <= frames_out + {31'd0, frame_out};
    octets_in_sum <= octets_in_sum + {28'd0, octets_in};
    octets_out_sum <= octets_out_sum + {28'd0, octets_out};
    input_stalls <= input_stalls + {31'd0, input_stall};
    output_stalls <= output_stalls + {31'd0, output_stall};
    length_errors <= length_errors + {31'd0, length_error};

    if (control_written) control <= pwdata[7:0];
    if (write && address == 8'h18 && pwdata[0]) wrong_length <= 1'b0;
    if (length_error) wrong_length <= 1'b1;

    if (rst) begin
      pready <= 1'b0;
      control <= CONTROL_AT_RESET;
      wrong_length <= 1'b0;
      frames_in <= 32'd0;
      frames_out <= 32'd0;
      octets_in_sum <= 32'd0;
      octets_out_sum <= 32'd0;
      input_stalls <= 32'd0;
      output_stalls <= 32'd0;
      length_errors <= 32'd0;
    end
  end

endmodule

`default_nettype wire
