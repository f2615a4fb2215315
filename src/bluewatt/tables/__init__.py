"""What Victron's devices send and accept, as tables: records, registers, metrics, products, enumerations, controls."""
