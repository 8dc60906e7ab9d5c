"""What flies: pointing, acquisition and tracking, navigation, CCSDS and the services of an optical terminal."""
