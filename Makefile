# The project's commands. Each installs and builds what it needs first, and does nothing twice.
SHELL := /bin/bash
.PHONY: build lint test demo bench clean

# The default: what running the programs needs, without what only the tests need.
build:
	@scripts/setup.sh --run
	@scripts/build.sh

lint: build
	@scripts/lint.sh

# Everything that CI runs.
test:
	@scripts/test.sh

demo:
	@scripts/demo.sh

bench:
	@scripts/bench.sh

clean:
	rm -rf */dist native/build
