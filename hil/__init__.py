"""Everything that puts the flight software in a loop: with the world, with the RTL, with hardware."""
