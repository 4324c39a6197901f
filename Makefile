# Each target sets up what it needs: see README.md.
NODE = ./scripts/node.sh
PURPOSE = use

.PHONY: demo test bench setup format

# The demo needs what a user needs; the tests and the benchmarks bring the real things they speak to.
test bench: PURPOSE = test

demo: setup
	@$(NODE) scripts/demo.ts

test: setup
	@$(NODE) scripts/check.ts $(KIND)

bench: setup
	@$(NODE) bench/main.ts $(BENCH)

format: setup
	@node_modules/.bin/oxfmt

setup:
	@./scripts/prerequisites.sh $(PURPOSE)
	@./fairway --version >/dev/null
