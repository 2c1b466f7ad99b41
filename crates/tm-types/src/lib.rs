//! The vocabulary of tm-server: readings, points, stamps, states, topics and texts.
