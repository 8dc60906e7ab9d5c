// The encoder on an iCEBreaker: iCE40UP5K, USB serial by the board's FT2232H.
//
//   clk 12 MHz --> PLL, 24 MHz --> board_core <--> rx, tx
//                   |  lock           ^
//                   +--> reset -------+
//
// RS(255,223), interleaving 5, 8 bits wide: 24 Mb/s inside, 3 Mbaud outside.
// Lamps: green beats once a second and flickers with packets, red shows bad ones. The user button resets.
//
// Parameters   UNIQUE_ID  8 octets that HELLO tells
`default_nettype none

module icebreaker_top #(
    parameter [63:0] UNIQUE_ID = "icebrk_1"
) (
    input  wire clk_12mhz,
    input  wire rx,
    output wire tx,
    input  wire button_n,
    output wire led_red_n,
    output wire led_green_n
);

  // 12 MHz / (0 + 1) * (63 + 1) = 768 MHz, / 2^5 = 24 MHz
  wire clk, locked;
  SB_PLL40_PAD #(
      .FEEDBACK_PATH("SIMPLE"),
      .DIVR         (4'd0),
      .DIVF         (7'd63),
      .DIVQ         (3'd5),
      .FILTER_RANGE (3'd1)
  ) pll (
      .PACKAGEPIN   (clk_12mhz),
      .PLLOUTGLOBAL (clk),
      .LOCK         (locked),
      .BYPASS       (1'b0),
      .RESETB       (1'b1)
  );

  wire rst;
  reset_release reset (
      .clk  (clk),
      .ready(locked && button_n),
      .rst  (rst)
  );

  wire heartbeat, activity, error;
  board_core #(
      .CLOCK_HZ     (24_000_000),
      .BAUD         (3_000_000),
      .BUFFER_OCTETS(4096),
      .UNIQUE_ID    (UNIQUE_ID),
      .DATA_WIDTH   (8),
      .INTERLEAVE   (5)
  ) core (
      .clk      (clk),
      .rst      (rst),
      .rx       (rx),
      .tx       (tx),
      .heartbeat(heartbeat),
      .activity (activity),
      .error    (error)
  );

  assign led_green_n = !(heartbeat ^ activity);
  assign led_red_n   = !error;

endmodule

`default_nettype wire
