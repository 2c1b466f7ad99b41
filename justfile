# Everyday commands; `just --list` shows them.

# Run everything on this machine against simulated hardware.
run:
    cargo run --release -p tm -- demo

# The tests that need nothing but Rust.
test:
    cargo test --workspace

# Everything that the continuous integration runs.
ci:
    bash .ci/run

# Accept the present OpenAPI document and configuration tables as the golden ones.
bless:
    TM_BLESS=1 cargo test -p tm-api --test openapi
    TM_BLESS=1 cargo test -p tm-tests --test configuration
