"""The ground link of a run, and the ground's end of it: ports, station, operator's client."""
