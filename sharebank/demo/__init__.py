"""The demonstration: invented people, associations and loans of three houses, alive at whatever date it is loaded."""
