# The project's commands. Each installs and builds what it needs first, and does nothing twice.
SHELL := /bin/bash
.PHONY: build package lint test fuzz soak e2e demo demo-kind bench clean

# The default: what running the programs needs, without what only the tests need.
build:
	@scripts/setup.sh --run
	@scripts/build.sh

# The Debian package for hosts, in tmp/package.
package: build
	@scripts/package.sh

lint: build
	@scripts/lint.sh

# Everything that needs no cluster.
test:
	@scripts/test.sh

# Everything that reads hostile bytes, for a minute: scripts/fuzz.sh takes more.
fuzz:
	@scripts/fuzz.sh

# Full load for ten minutes: scripts/soak.sh takes more.
soak:
	@scripts/soak.sh

# Everything that needs one: KUBECONFIG's, or one that is made for it.
e2e:
	@scripts/e2e.sh

demo:
	@scripts/demo.sh

demo-kind:
	@scripts/demo-kind.sh

bench:
	@scripts/bench.sh

clean:
	rm -rf */dist native/build
