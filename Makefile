# A thin door to tools/: what a target does is said there. Bare `make` explains. Settings:
# `make up PORT=5002 NUM_SERVERS=5`, the environment, or .env (see .env.example).

SHELL := /bin/sh
.DEFAULT_GOAL := help

.PHONY: help native deps deps-test build up up-native image down restart restart-native logs logs-native clean check test test-long fuzz lint install bench bench-balance bench-heal profile bench-load experiments experiments-doc

help:
	@echo 'make up          builds and starts roost on port 5000, three sample replicas behind it'
	@echo 'make up DRIVER=docker  the same in containers, replicas too; make image only builds the image'
	@echo 'make down        stops it; make restart starts it anew with the same pool; make logs'
	@echo 'make build       the release binary, build/roost'
	@echo 'make check       unit and smoke tests, two minutes'
	@echo 'make test        everything; make test-long with the full counts'
	@echo 'make fuzz        any bytes into every parser, a minute each; SECONDS= TARGETS= choose'
	@echo 'make lint        layers, names, format, clang-tidy'
	@echo 'make bench       beside HAProxy and nginx; FIXTURES= PEERS= ROUNDS= choose; make profile'
	@echo 'make bench-balance  every hash scheme: look-up, build, change, memory'
	@echo 'make bench-heal  how soon what dies or hangs is passed over and back; KILLS=20 HANGS=10'
	@echo 'make experiments the course'"'"'s four, for real: build/experiments/report.html; OUT= elsewhere'
	@echo 'make experiments-doc  the same, and docs/experiments.md with its pictures from it'
	@echo 'make install     into PREFIX=/usr/local'
	@echo 'make deps        what build and run need, from apt; make deps-test what the tests need'
	@echo 'make clean       down, and forgets run/ and build/'

native:
	@[ "$$(uname -s)" = Linux ] || { \
	    echo 'roost runs on Linux: Debian 12 and 13, Ubuntu 24.04. Here, use one in Docker or a VM.' >&2; \
	    exit 1; \
	}

deps: native
	@tools/deps.sh build

deps-test: native
	@tools/deps.sh build check test

build: native
	@tools/build.sh release

up:
	@if tools/docker.sh is-wanted; then tools/docker.sh up; else $(MAKE) --no-print-directory up-native; fi

up-native: deps
	@tools/build.sh release
	@tools/up.sh

image:
	@tools/docker.sh image

restart:
	@if tools/docker.sh is-up; then tools/docker.sh restart; else $(MAKE) --no-print-directory restart-native; fi

restart-native: deps
	@tools/build.sh release
	@tools/up.sh restart

down:
	@tools/docker.sh down
	@[ "$$(uname -s)" != Linux ] || tools/down.sh

logs:
	@if tools/docker.sh is-up; then tools/docker.sh logs; else $(MAKE) --no-print-directory logs-native; fi

logs-native: native
	@[ -f run/roost.log ] || { echo 'Nothing ran here yet: make up' >&2; exit 1; }
	@tail -n 100 -F run/roost.log

clean: down
	@tools/docker.sh clean
	rm -rf run build

check: native
	@tools/deps.sh build check
	@python3 tools/test_all.py --check

test: deps-test
	@/usr/bin/python3 tools/test_all.py

test-long: deps-test
	@/usr/bin/python3 tools/test_all.py --long

fuzz: deps-test
	@/usr/bin/python3 tools/fuzz.py --seconds $(or $(SECONDS),60) $(TARGETS)

lint: deps-test
	@/usr/bin/python3 tools/lint.py

install: build
	@tools/install.sh

bench-balance: native
	@tools/build.sh release bench-balance

bench: build
	@tools/deps.sh bench
	@/usr/bin/python3 tools/bench.py

bench-heal: build
	@/usr/bin/python3 tools/bench_heal.py

profile: build
	@tools/deps.sh profile
	@/usr/bin/python3 tools/bench_profile.py

bench-load: build
	@tools/deps.sh bench-load
	@/usr/bin/python3 tools/bench_load.py

# Without matplotlib there are numbers and a report, and no pictures.
experiments: build
	@tools/deps.sh experiments || true
	@build/roost experiment all --out $(or $(OUT),build/experiments) $(if $(SEED),--seed $(SEED)) \
	    $(if $(filter docker,$(DRIVER)),--driver docker)

experiments-doc: experiments
	@/usr/bin/python3 tools/experiments_doc.py $(or $(OUT),build/experiments)
