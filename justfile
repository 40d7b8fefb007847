# Short names for the commands of README.md.

# Build skep and run a container with it
demo:
    integration/demo.sh

# Install what the tests need and run all of them
test:
    integration/test.sh

# Measure skep beside runc, crun and the bare kernel
bench *ARGS:
    integration/bench/run.sh {{ARGS}}

# Measure Docker, Podman and containerd with skep beside runc and crun (DIR has skep)
bench-engines DIR *ROUNDS:
    integration/engines/timing.sh {{DIR}} {{ROUNDS}}

# Measure seccomp filters beside libseccomp's
bench-seccomp:
    seccomp/benches/run.sh
