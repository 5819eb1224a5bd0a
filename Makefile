# SPDX-License-Identifier: GPL-3.0-or-later
# `make demo` and `make test` are all that a newcomer needs. Both install what is missing (with apt, as root or by sudo)
# and say so first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

RELEASE := swift build -c release --static-swift-stdlib
BIN := .build/release
STRICT := --explicit-target-dependency-import-check error
RACES := 'QueuesTests|PeerEngineTests|IndexEngineTests|NetworkTests'

# What a build needs: header=package.
HEADERS := curses.h=libncurses-dev ngtcp2/ngtcp2_crypto_gnutls.h=libngtcp2-crypto-gnutls-dev ngtcp2/ngtcp2.h=libngtcp2-dev \
	gnutls/gnutls.h=libgnutls28-dev sqlite3.h=libsqlite3-dev qrencode.h=libqrencode-dev

.PHONY: demo build test lint races soak bench shots clean

demo: ## A dashboard and two chats in one tmux window
	@assets/need.sh $(HEADERS) tmux=tmux
	@$(MAKE) --no-print-directory build
	@assets/demo.sh $(BIN)

build: ## Both programs, optimised, in .build/release
	@assets/need.sh $(HEADERS)
	$(RELEASE) --product parley
	$(RELEASE) --product parley-index

test: ## Everything that must hold before a change goes in
	@assets/need.sh $(HEADERS) vterm.h=libvterm-dev tmux=tmux
	@$(MAKE) --no-print-directory lint build races
	PARLEY_BIN=$(BIN) swift test $(STRICT) --no-parallel

lint:
	swift format lint --strict -r Package.swift Sources Tests

races: ## The engines under the thread sanitiser
	swift test --sanitize=thread --scratch-path .build-tsan --filter $(RACES)

soak: ## The tests that grow with time, twenty times as long
	@assets/need.sh $(HEADERS) vterm.h=libvterm-dev
	@$(MAKE) --no-print-directory build
	PARLEY_SOAK=20 PARLEY_BIN=$(BIN) swift test --no-parallel --filter 'SeedWireTests|PipeTests'

bench: ## The figures of docs/BENCHMARKS.md
	@assets/need.sh $(HEADERS) python3=python3 irssi=irssi
	@$(MAKE) --no-print-directory build
	$(BIN)/parley-index bench
	python3 assets/bench/bench.py $(BIN)

shots: ## The pictures of the README, from real programs
	@assets/need.sh $(HEADERS) tmux=tmux xterm=xterm Xvfb=xvfb import=imagemagick xwininfo=x11-utils \
		DejaVuSansMono.ttf=fonts-dejavu-core NotoSansCJK-Regular.ttc=fonts-noto-cjk
	@$(MAKE) --no-print-directory build
	@assets/shots.sh $(BIN) assets

clean:
	rm -rf .build .build-*
