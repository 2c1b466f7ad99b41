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

# Accept the present OpenAPI document, configuration tables and tables of the recovery as the golden ones.
bless:
    TM_BLESS=1 cargo test -p tm-api --test openapi
    TM_BLESS=1 cargo test -p tm-tests --test configuration
    TM_BLESS=1 cargo test -p tm-modem --lib ladder::page

# Compile the services for a device into dist/ARCH: `just dist aarch64`.
dist ARCH:
    blocks/dist {{ARCH}}

# Push to a device in local mode; the images take the binaries of dist/aarch64.
push-local IP: (dist "aarch64")
    balena push {{IP}} --nolive

# The whole stack on this machine, with simulated hardware and cloud: http://localhost/
stack:
    docker-compose -f docker-compose.yml -f tests/stack/docker-compose.sim.yml up --build

# Build one image: `just image modem`.
image NAME:
    docker build -f blocks/Dockerfile --build-arg SERVICE={{NAME}} -t tm-{{NAME}} .
