"""cocotb benches: test_<module>.py is run by pytest, which starts the simulator, and by the simulator."""
