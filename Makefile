# The project's commands. Each installs and builds what it needs first, and does nothing twice.
SHELL := /bin/bash
.PHONY: setup build lint test demo bench clean

setup: ; @scripts/setup.sh
build: setup ; @scripts/build.sh
lint: build ; @scripts/lint.sh
test: ; @scripts/test.sh
demo: ; @scripts/demo.sh
bench: ; @scripts/bench.sh
clean: ; rm -rf */dist native/build
