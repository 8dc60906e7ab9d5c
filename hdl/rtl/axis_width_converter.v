// Width converter: the octets of each frame in beats of another width.
//
//   narrower:  s_axis --> beat, moved down by M_WIDTH --> m_axis
//   wider:     s_axis --> lanes of the beat, one after the other --> m_axis
//
// A frame's octets stay in order and closely packed, from lane 0 on. Where the last beat holds fewer octets, by tkeep,
// a narrower output has fewer beats, and a wider output ends with its free lanes unkept.
//
// Parameters   S_WIDTH  of the input, 8, 16, 32 or 64 bits; lane 0, the first octet, in the low bits (AXI4-Stream)
//              M_WIDTH  of the output, likewise
// Latency      1 cycle from the input beat that completes an output beat
// The narrower side moves a beat in every cycle. No register cuts the path from m_axis_tready to s_axis_tready.
`default_nettype none

module axis_width_converter #(
    parameter S_WIDTH = 8,
    parameter M_WIDTH = 8
) (
    input wire clk,
    input wire rst,

    input  wire [  S_WIDTH-1:0] s_axis_tdata,
    input  wire [S_WIDTH/8-1:0] s_axis_tkeep,
    input  wire                 s_axis_tvalid,
    output wire                 s_axis_tready,
    input  wire                 s_axis_tlast,

    output wire [  M_WIDTH-1:0] m_axis_tdata,
    output wire [M_WIDTH/8-1:0] m_axis_tkeep,
    output wire                 m_axis_tvalid,
    input  wire                 m_axis_tready,
    output wire                 m_axis_tlast
);

  localparam S_LANES = S_WIDTH / 8;
  localparam M_LANES = M_WIDTH / 8;

  generate
    if (S_WIDTH != 8 && S_WIDTH != 16 && S_WIDTH != 32 && S_WIDTH != 64) begin : g_bad_s_width
      initial begin
        $display("%m: S_WIDTH: expected 8, 16, 32 or 64, found %0d", S_WIDTH);
        $finish;
      end
    end
    if (M_WIDTH != 8 && M_WIDTH != 16 && M_WIDTH != 32 && M_WIDTH != 64) begin : g_bad_m_width
      initial begin
        $display("%m: M_WIDTH: expected 8, 16, 32 or 64, found %0d", M_WIDTH);
        $finish;
      end
    end

    if (S_WIDTH > M_WIDTH) begin : g_narrower
      // Only octets that are there have their bit of `keep`: beats without any are skipped.
      reg [S_WIDTH-1:0] data;
      reg [S_LANES-1:0] keep;
      reg valid, ends;
      wire [S_LANES-1:0] above = keep >> M_LANES;
      wire final_beat = above == {S_LANES{1'b0}};

      assign s_axis_tready = !valid || (m_axis_tready && final_beat);
      assign m_axis_tdata  = data[M_WIDTH-1:0];
      assign m_axis_tkeep  = keep[M_LANES-1:0];
      assign m_axis_tvalid = valid;
      assign m_axis_tlast  = ends && final_beat;

      always @(posedge clk) begin
        if (s_axis_tready) begin
          valid <= s_axis_tvalid;
          data  <= s_axis_tdata;
          keep  <= s_axis_tlast ? s_axis_tkeep : {S_LANES{1'b1}};
          ends  <= s_axis_tlast;
        end else if (m_axis_tready) begin
          data <= data >> M_WIDTH;
          keep <= above;
        end
        if (rst) valid <= 1'b0;
      end
    end else if (S_WIDTH < M_WIDTH) begin : g_wider
      localparam RATIO = M_WIDTH / S_WIDTH;

      reg [M_WIDTH-1:0] data;
      reg [M_LANES-1:0] keep;
      reg valid, ends;
      reg [RATIO-1:0] place;  // of the next input beat, one-hot
      wire take = s_axis_tvalid && s_axis_tready;

      assign s_axis_tready = !valid || m_axis_tready;
      assign m_axis_tdata  = data;
      assign m_axis_tkeep  = keep;
      assign m_axis_tvalid = valid;
      assign m_axis_tlast  = ends;

      genvar n;
      for (n = 0; n < RATIO; n = n + 1) begin : g_place
        always @(posedge clk) begin
          if (take && place[n]) data[n*S_WIDTH+:S_WIDTH] <= s_axis_tdata;
          if (take && (place[0] || place[n])) keep[n*S_LANES+:S_LANES] <= {S_LANES{place[n]}} & s_axis_tkeep;
        end
      end

      always @(posedge clk) begin
        if (s_axis_tready) valid <= take && (place[RATIO-1] || s_axis_tlast);
        if (take) begin
          ends  <= s_axis_tlast;
          place <= s_axis_tlast ? {{RATIO - 1{1'b0}}, 1'b1} : {place[RATIO-2:0], place[RATIO-1]};
        end
        if (rst) begin
          valid <= 1'b0;
          place <= {{RATIO - 1{1'b0}}, 1'b1};
        end
      end
    end else begin : g_same
      axis_register #(
          .DATA_WIDTH(S_WIDTH)
      ) register (
          .clk          (clk),
          .rst          (rst),
          .s_axis_tdata (s_axis_tdata),
          .s_axis_tkeep (s_axis_tkeep),
          .s_axis_tvalid(s_axis_tvalid),
          .s_axis_tready(s_axis_tready),
          .s_axis_tlast (s_axis_tlast),
          .m_axis_tdata (m_axis_tdata),
          .m_axis_tkeep (m_axis_tkeep),
          .m_axis_tvalid(m_axis_tvalid),
          .m_axis_tready(m_axis_tready),
          .m_axis_tlast (m_axis_tlast)
      );
    end
  endgenerate

endmodule

`default_nettype wire
