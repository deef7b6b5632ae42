# A thin door to tools/: what a target does is said there. Bare `make` explains.

SHELL := /bin/sh
.DEFAULT_GOAL := help

.PHONY: help build check lint clean

help:
	@echo 'make build    the release binary, build/roost'
	@echo 'make check    unit tests'
	@echo 'make lint     layers, names, format'
	@echo 'make clean    forgets what was built'

build:
	@tools/build.sh release

check: build
	@meson test -C build --print-errorlogs

lint:
	@tools/lint.py

clean:
	rm -rf build
