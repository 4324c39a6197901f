# Each target sets up what it needs: see README.md.
NODE = ./scripts/node.sh

.PHONY: demo test bench setup format

demo: setup
	@$(NODE) scripts/demo.ts

test: setup
	@$(NODE) scripts/check.ts $(KIND)

bench: setup
	@$(NODE) bench/main.ts $(BENCH)

format: setup
	@node_modules/.bin/oxfmt

setup:
	@./scripts/prerequisites.sh
	@./fairway --version >/dev/null
