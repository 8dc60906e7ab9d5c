"""The world: orbits, platforms, optics, actuators and sensors. Physics only."""
