# SPDX-License-Identifier: GPL-3.0-or-later
# `make demo` and `make test` are all that a newcomer needs. Both install what is missing (with apt, as root or by sudo)
# and say so first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

RELEASE := swift build -c release --static-swift-stdlib
BIN := .build/release
SOAK ?= 20
STRICT := --explicit-target-dependency-import-check error
# Where there are threads: targets, and of some only these suites.
RACE_TARGETS := QueuesTests,TunnelsTests,PeerEngineTests,IndexEngineTests,NetworkTests,SessionsTests,ChatStoreTests,IndexServerTests
RACES := 'QueuesTests|TunnelsTests|PeerEngineTests.ClientTests|IndexEngineTests|NetworkTests|SessionsTests.HostTests|ChatStoreTests|IndexServerTests'
# What the laboratory needs beyond a build: a bad line and a disk of its own are made by root alone, else skipped.
LAB := python3=python3 strace=strace nsenter=util-linux mkfs.ext4=e2fsprogs ip=iproute2 nft=nftables conntrack=conntrack \
	miniupnpd=miniupnpd-nftables

# What a build needs: header=package.
HEADERS := curses.h=libncurses-dev ngtcp2/ngtcp2_crypto_gnutls.h=libngtcp2-crypto-gnutls-dev ngtcp2/ngtcp2.h=libngtcp2-dev \
	gnutls/gnutls.h=libgnutls28-dev sqlite3.h=libsqlite3-dev qrencode.h=libqrencode-dev \
	natpmp.h=libnatpmp-dev miniupnpc/miniupnpc.h=libminiupnpc-dev

.PHONY: demo build test lint races asan fuzz soak nat bench shots clean

demo: ## A dashboard and two chats in one tmux window
	@assets/need.sh $(HEADERS) tmux=tmux
	@$(MAKE) --no-print-directory build
	@assets/demo.sh $(BIN)

build: ## Both programs, optimised, in .build/release
	@assets/need.sh $(HEADERS)
	$(RELEASE) --product parley
	$(RELEASE) --product parley-index

test: ## Everything that must hold before a change goes in
	@assets/need.sh $(HEADERS) vterm.h=libvterm-dev tmux=tmux $(LAB)
	@$(MAKE) --no-print-directory lint build races
	PARLEY_BIN=$(BIN) Tests/run.py swift test $(STRICT) --no-parallel

lint:
	swift format lint --strict -r Package.swift Sources Tests

races: ## The engines under the thread sanitiser
	PARLEY_SLOW=1 PARLEY_ONLY=$(RACE_TARGETS) TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/tsan.suppressions \
		Tests/run.py swift test --sanitize=thread --scratch-path .build-tsan --no-parallel --filter $(RACES)

asan: ## Everything but whole programs under the address sanitiser
	PARLEY_SLOW=1 ASAN_OPTIONS=detect_leaks=0 swift test --sanitize=address --disable-xctest --scratch-path .build-asan --skip EndToEndTests

FUZZ_SECONDS ?= 60
fuzz: ## Each reader of strangers' bytes under libFuzzer and the address sanitiser; FUZZ_SECONDS=60 each
	@assets/need.sh $(HEADERS)
	PARLEY_FUZZ=1 swift build -c release --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=fuzzer,address --product fuzz --scratch-path .build-fuzz
	for corpus in Tests/Fuzz/Corpus/*; do \
		found=.build-fuzz/found/$${corpus##*/}; mkdir -p $$found; \
		SWIFT_BACKTRACE=enable=no PARLEY_FUZZ_TARGET=$${corpus##*/} .build-fuzz/release/fuzz -max_len=4096 \
			-max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=.build-fuzz/ $$found $$corpus; \
	done

soak: ## The tests that grow with time, twenty times as long; SOAK=50 for a thousand kills
	@assets/need.sh $(HEADERS) vterm.h=libvterm-dev $(LAB)
	@$(MAKE) --no-print-directory build
	PARLEY_SOAK=$(SOAK) PARLEY_BIN=$(BIN) swift test --no-parallel \
		--filter 'SeedWireTests|PipeTests|BadLineTests|CrashTests|IndexCrashTests|IndexFloodTests|SpoofTests|ReturnTests|NatFaultTests'

nat: ## Every pair of NAT kinds, and the table of docs/NAT.md; as root
	@assets/need.sh $(HEADERS) vterm.h=libvterm-dev $(LAB)
	@$(MAKE) --no-print-directory build
	PARLEY_NAT=all PARLEY_NAT_TABLE=$(CURDIR)/docs/NAT.md PARLEY_BIN=$(BIN) swift test --no-parallel --filter NatTests

bench: ## The figures of docs/BENCHMARKS.md
	@assets/need.sh $(HEADERS) $(LAB) irssi=irssi redis-server=redis-server opentracker=opentracker nsd=nsd
	@$(MAKE) --no-print-directory build
	$(BIN)/parley-index bench --all
	python3 assets/bench/bench.py $(BIN)
	python3 assets/bench/delivery.py $(BIN)
	python3 assets/bench/traffic.py $(BIN)

shots: ## The pictures of the README, from real programs
	@assets/need.sh $(HEADERS) tmux=tmux xterm=xterm Xvfb=xvfb import=imagemagick xwininfo=x11-utils \
		DejaVuSansMono.ttf=fonts-dejavu-core NotoSansCJK-Regular.ttc=fonts-noto-cjk
	@$(MAKE) --no-print-directory build
	@assets/shots.sh $(BIN) assets

clean:
	rm -rf .build .build-*
