"""Values and state machines that every room shares: attrs classes, enums, tables. No I/O, no clocks."""
