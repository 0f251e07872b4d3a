# Everything that a contributor types. Debian packages that are missing are named, then installed (as root or
# with sudo); Python tools come from PyPI into .venv, which sees Debian's own Python packages.

.DEFAULT_GOAL := help
.PHONY: help venv check test demo deb bench clean

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
PYTHON := .venv/bin/python

# What cncop itself runs on.
RUNTIME := python3 python3-click python3-jinja2 python3-jsonschema python3-pystemd python3-rich python3-tomli-w \
           restic rsync rclone openssh-client systemd tzdata
# What a user manager for the demo and the tests needs.
MANAGER := dbus dbus-daemon dbus-user-session procps util-linux mount
# What the tests need besides: real servers, and real machines.
TESTS := systemd-container mmdebstrap debian-archive-keyring git libpam-systemd openssh-server vsftpd samba iproute2 acl attr \
         python3-aiosmtpd openssl man-db faketime
# What the Debian package is built with.
BUILDING := build-essential debhelper dh-python pybuild-plugin-pyproject python3-all python3-hatchling

# Tests mostly wait for machines and servers, so that there may be more at once than processors. A file's tests share
# what they start; the files that take longest come first.
SIDE_BY_SIDE := --numprocesses=$(shell expr $$(nproc) + 1) --dist=loadfile --no-loadscope-reorder

missing = $(strip $(foreach package,$(1),$(if $(filter ii,$(shell dpkg-query -Wf '$${db:Status-Abbrev}' $(package) 2>/dev/null)),,$(package))))

define install
	@if [ -n "$(call missing,$(1))" ]; then \
		echo "Debian packages are needed and will be installed: $(call missing,$(1))"; \
		$(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(call missing,$(1)) >/dev/null; \
	fi
endef

help:  ## Show this help
	@echo "cncop: backup jobs as systemd timers"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

venv: .venv/ready  ## Make .venv/bin/cncopctl
.venv/ready: pyproject.toml Makefile
	$(call install,$(RUNTIME) python3-venv ca-certificates)
	/usr/bin/python3 -m venv --system-site-packages --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

check: venv  ## Lint, format and type checks
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy cncopctl tests benchmarks
	.venv/bin/mypy --scripts-are-modules agents/backupagent*
	MYPYPATH=packaging/manual .venv/bin/mypy packaging

test: check  ## All checks and tests, on real systemd and real servers
	$(call install,$(MANAGER) $(TESTS))
	.venv/bin/pytest --durations=15 $(SIDE_BY_SIDE)

demo: venv  ## See it work: back up, look, restore and compare, in a systemd of its own
	$(call install,$(MANAGER))
	$(PYTHON) tests/manager/private_manager.py -- tests/demo/demo

bench: venv  ## Measure against bare systemd and the bare engines
	$(call install,$(MANAGER))
	$(PYTHON) -m benchmarks

deb:  ## Build the Debian package, into dist/
	$(call install,$(RUNTIME) $(BUILDING))
	packaging/build

clean:  ## Remove what these targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
