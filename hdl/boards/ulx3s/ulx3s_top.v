// The encoder on a ULX3S with an 85F: ECP5 LFE5U-85F, USB serial by the board's FT231X.
//
//   clk 25 MHz --> PLL, 100 MHz --> board_core <--> ftdi_txd, ftdi_rxd
//                   |  lock            ^
//                   +--> reset --------+
//
// RS(255,223), interleaving 8, 64 bits wide: 6.4 Gb/s inside, 3 Mbaud outside.
// Lamps: 0 beats once a second, 1 shows packets, 2 bad ones. The button FIRE1 resets.
//
// Parameters   UNIQUE_ID  8 octets that HELLO tells
`default_nettype none

module ulx3s_top #(
    parameter [63:0] UNIQUE_ID = "ulx3s__1"
) (
    input  wire       clk_25mhz,
    input  wire       ftdi_txd,     // named as the FT231X sees it
    output wire       ftdi_rxd,
    input  wire       button_fire1,
    output wire [7:0] led,
    output wire       wifi_gpio0    // low would have the ESP32 take the board over
);

  // 25 MHz * 4 * 6 = 600 MHz, / 6 = 100 MHz
  wire clk, locked;
  (* FREQUENCY_PIN_CLKI="25", FREQUENCY_PIN_CLKOP="100" *)
  (* ICP_CURRENT="12", LPF_RESISTOR="8", MFG_ENABLE_FILTEROPAMP="1", MFG_GMCREF_SEL="2" *)
  EHXPLLL #(
      .PLLRST_ENA      ("DISABLED"),
      .INTFB_WAKE      ("DISABLED"),
      .STDBY_ENABLE    ("DISABLED"),
      .DPHASE_SOURCE   ("DISABLED"),
      .OUTDIVIDER_MUXA ("DIVA"),
      .OUTDIVIDER_MUXB ("DIVB"),
      .OUTDIVIDER_MUXC ("DIVC"),
      .OUTDIVIDER_MUXD ("DIVD"),
      .FEEDBK_PATH     ("CLKOP"),
      .CLKI_DIV        (1),
      .CLKFB_DIV       (4),
      .CLKOP_ENABLE    ("ENABLED"),
      .CLKOP_DIV       (6),
      .CLKOP_CPHASE    (2),
      .CLKOP_FPHASE    (0)
  ) pll (
      .CLKI        (clk_25mhz),
      .CLKFB       (clk),
      .CLKOP       (clk),
      .LOCK        (locked),
      .RST         (1'b0),
      .STDBY       (1'b0),
      .PHASESEL0   (1'b0),
      .PHASESEL1   (1'b0),
      .PHASEDIR    (1'b1),
      .PHASESTEP   (1'b1),
      .PHASELOADREG(1'b1),
      .PLLWAKESYNC (1'b0),
      .ENCLKOP     (1'b0)
  );

  wire rst;
  reset_release reset (
      .clk  (clk),
      .ready(locked && !button_fire1),
      .rst  (rst)
  );

  board_core #(
      .CLOCK_HZ     (100_000_000),
      .BAUD         (3_000_000),
      .BUFFER_OCTETS(8192),
      .UNIQUE_ID    (UNIQUE_ID),
      .DATA_WIDTH   (64),
      .INTERLEAVE   (8)
  ) core (
      .clk      (clk),
      .rst      (rst),
      .rx       (ftdi_txd),
      .tx       (ftdi_rxd),
      .heartbeat(led[0]),
      .activity (led[1]),
      .error    (led[2])
  );

  assign led[7:3]   = 5'd0;
  assign wifi_gpio0 = 1'b1;

endmodule

`default_nettype wire
