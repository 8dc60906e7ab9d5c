"""Services of the packet utilization standard, ECSS-E-ST-70-41C: a module each, no input or output."""
