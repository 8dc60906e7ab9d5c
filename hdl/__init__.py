"""The encoder datapath in Verilog and the tools that build, verify and run it."""
