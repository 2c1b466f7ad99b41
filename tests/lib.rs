//! End-to-end stories of tm-server live in `e2e/`, the rules of the house in `architecture.rs`.
