# A thin front for meson: what the README names. Needs nothing but make to begin with.
BUILD  ?= build
CONFIG ?= etc/oomfwd.conf
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT    := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

BUILD_DEPS := gcc libc6-dev meson ninja-build pkg-config libsystemd-dev libproc2-dev libcgroup-dev \
              libinih-dev libjansson-dev libbpf-dev bpftool clang libcmocka-dev
TEST_DEPS  := python3 qemu-system-x86 mmdebstrap busybox-static cpio zstd e2fsprogs apt \
              mandoc clang-format shellcheck systemd dpkg-dev dbus zsh rpm git xz-utils tmux
LINT_DEPS  := clang clang-tidy cppcheck
DEB_DEPS   := debhelper dpkg-dev python3 systemd

.PHONY: all build run test check quick lint format sanitize bench matrix install deb dist package-test deps test-deps clean

all: build

# Installs only what is missing, so that a second run needs neither network nor root.
define install_missing
	@missing=""; for p in $(1); do \
		dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	[ -z "$$missing" ] || { echo "installing:$$missing"; $(APT) update -qq && \
		$(APT) install -y -qq --no-install-recommends $$missing >/dev/null 2>&1 || \
		$(APT) install -y --no-install-recommends $$missing; }
endef

deps:
	$(call install_missing,$(BUILD_DEPS))

test-deps: deps
	$(call install_missing,$(TEST_DEPS))

$(BUILD)/build.ninja:
	@out=$$(meson setup $(BUILD) $(MESON_FLAGS)) || { echo "$$out"; exit 1; }

$(BUILD)-asan/build.ninja:
	@out=$$(meson setup $(BUILD)-asan $(MESON_FLAGS) -Db_sanitize=address,undefined \
		-Db_lundef=false) || { echo "$$out"; exit 1; }

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# The daemon in the foreground with the shipped configuration. Nobody is signalled unless LIVE=1.
run: build
ifeq ($(LIVE),1)
	@echo 'LIVE=1: oomfwd guards this machine and will kill when memory runs out. Ctrl-C ends it.'
	$(SUDO) $(BUILD)/src/oomfwd --config $(CONFIG)
else
	@echo 'Dry run: oomfwd watches this machine and says whom it would kill; nobody is signalled.'
	@echo 'Ctrl-C ends it; "make run LIVE=1" is the real thing.'
	$(SUDO) $(BUILD)/src/oomfwd --config $(CONFIG) --dry-run --verbose
endif

# All tests: unit, live and in virtual machines. "make quick" leaves the machines out.
test check: test-deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@tests/run-tests $(BUILD)

quick: build
	@tests/run-tests $(BUILD) --no-suite vm

lint: test-deps
	$(call install_missing,$(LINT_DEPS))
	tests/lint $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

# Unit and live tests once more under the address and undefined-behaviour sanitizers.
sanitize: build $(BUILD)-asan/build.ninja
	@ninja -C $(BUILD)-asan --quiet
	@tests/run-tests $(BUILD)-asan --no-suite vm

bench: build
	@ninja -C $(BUILD) --quiet bench/bench-snapshot bench/bench-group bench/bench-latency bench/bench-reap
	bench/run $(BUILD)

# Hours: every daemon in every scenario, RUNS times. What is measured is added to bench/matrix-data.
RUNS ?= 3
matrix: test-deps build
	tests/vm/matrix -n $(RUNS) $(MATRIX_FLAGS) $(BUILD)
	bench/matrix

install: build
	$(SUDO) meson install -C $(BUILD) --no-rebuild

# The .deb of this tree as it is now: $(BUILD)/oomfwd_VERSION_ARCH.deb. Its unit tests have to pass.
deb: deps
	$(call install_missing,$(DEB_DEPS))
	packaging/build-deb $(BUILD)

# $(BUILD)/oomfwd-VERSION.tar.xz of the commit that is checked out, the same bytes each time.
dist:
	$(call install_missing,git xz-utils)
	@packaging/dist $(BUILD)

# What lintian says of the .deb, and what it leaves of a Debian that it comes and goes in.
package-test: deb dist
	$(call install_missing,lintian mmdebstrap rpm rpmlint)
	tests/package-test $(BUILD)
	tests/vm/desk-test $(BUILD) $(BUILD)/oomfwd_[0-9]*.deb

clean:
	rm -rf $(BUILD) $(BUILD)-asan
