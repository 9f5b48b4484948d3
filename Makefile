# SPDX-License-Identifier: Apache-2.0
# Building, running and `make test` need Go alone; what else a target needs, it names.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
# COMMIT_TIME dates everything in a release: seconds since 1970.
COMMIT_TIME := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
PREFIX  ?= /usr/local
TARGETS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# FUZZ=20s also looks for new inputs in each fuzz test; CI does.
FUZZ    ?= $(if $(CI),20s,0)

CLANG_TOOLS := clang-16=clang-16 llvm-strip-16=llvm-16 /usr/include/bpf/bpf_helpers.h=libbpf-dev
FORMAT_TOOLS := clang-format-16=clang-format-16
LINT_TOOLS  := shellcheck=shellcheck $(FORMAT_TOOLS) clang-16=clang-16 /usr/include/bpf/bpf_helpers.h=libbpf-dev
VAGRANT_TOOLS := vagrant=vagrant /usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json=vagrant-libvirt libvirtd=libvirt-daemon-system virsh=libvirt-clients \
	dnsmasq=dnsmasq-base rsync=rsync mmdebstrap=mmdebstrap qemu-system-x86_64=qemu-system-x86 qemu-img=qemu-utils mkfs.ext4=e2fsprogs
VM_TOOLS    := qemu-system-x86_64=qemu-system-x86 qemu-system-aarch64=qemu-system-arm xz=xz-utils

# need: stops with the command that installs what is missing.
need = @m=$$(scripts/missing.sh $(1)) || { echo "make $@ needs: $(SUDO) apt-get install -y $$m" >&2; exit 1; }
# quote: a word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'

.DEFAULT_GOAL := help
.PHONY: build install release demo vm vm-top vm-test vm-record vm-halt vm-destroy guest-build test test-root test-vm test-vagrant recordings print-version print-commit print-commit-time bench lint fmt generate check-generated docs clean help

build: ## build bin/beltrace
	CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/beltrace ./cmd/beltrace

install: build ## install the program, its manual and completions below PREFIX (/usr/local); DESTDIR is put before it
	@DESTDIR=$(call quote,$(DESTDIR)) scripts/install.sh $(call quote,$(PREFIX))

release: ## pack the program for Linux and macOS into dist/, with checksums: the same sources give the same bytes
	go run ./internal/release -o dist -version '$(VERSION)' -commit '$(COMMIT)' -time $(COMMIT_TIME) -targets '$(TARGETS)'

vm: ## a Linux VM (macOS too) with the dashboard on a demo in this terminal; DEMO=name FLAGS=...
	@vagrant/vm.sh demo $(or $(DEMO),request-response) $(FLAGS)

vm-top: ## the dashboard of the whole VM; FLAGS='--port 8080'
	@vagrant/vm.sh top $(FLAGS)

vm-test: ## the whole test suite in the VM; or RUN=regexp PKG=./collector/live
	@vagrant/vm.sh test $(if $(RUN),'RUN=$(value RUN)') $(if $(PKG),'PKG=$(PKG)')

vm-record: ## record in the VM for 10 s and bring the file home; FLAGS='--port 8080 --for 30s'
	@vagrant/vm.sh record $(FLAGS)

vm-halt: ## stop the VM; make vm starts it again
	@vagrant/vm.sh halt

vm-destroy: ## remove the VM (its image stays in ~/.cache/beltrace)
	@vagrant/vm.sh destroy

# What goes into the VM when the host has Go.
guest-build:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GUEST_ARCH) go build -ldflags '$(LDFLAGS)' -o vagrant/.build/beltrace ./cmd/beltrace

test-vagrant: ## bring the VM up for real, under emulation, and use it (as root on Debian; some minutes)
	$(call need,$(VAGRANT_TOOLS))
	test/vagrant/run.sh

print-version print-commit print-commit-time:
	@echo '$(if $(filter print-version,$@),$(VERSION),$(if $(filter print-commit,$@),$(COMMIT),$(COMMIT_TIME)))'

demo: build ## run the first demo: a backend, its clients, and what the kernel saw
	$(SUDO) bin/beltrace demo request-response

test: ## run all tests that this machine can run, and say which it cannot; or RUN=regexp PKG=./collector/live
	go run ./test/suite -fuzz $(FUZZ) $(if $(RUN),-run '$(value RUN)') $(if $(PKG),-packages '$(PKG)')

test-root: ## run the kernel tests on this machine's kernel (as root, with sudo)
	go test -count=1 -p=1 -exec '$(if $(SUDO),sudo -E)' ./collector/live ./test/truth

test-vm: ## run the kernel tests in guests: all, or KERNEL=6.1 ARCH=arm64 TIER=kprobe RUN=regexp PKG=./demos/demotest V=1
	$(call need,$(VM_TOOLS))
	go run ./test/vm $(if $(KERNEL),-kernel $(KERNEL)) $(if $(ARCH),-arch $(ARCH)) $(if $(TIER),-tier $(TIER)) $(if $(RUN),-run '$(value RUN)') $(if $(PKG),-packages $(PKG)) $(if $(V),-v)

recordings: ## record the demos in a guest for demo:NAME: all, or DEMO=name
	$(call need,$(VM_TOOLS))
	go run ./test/recordings $(if $(DEMO),-demo $(DEMO))

bench: build ## measure the cost of watching, about 20 min; PARTS=nginx,redis measures only these; writes docs/performance.md
	$(SUDO) env "PATH=$$PATH" go run ./test/bench $(if $(PARTS),-parts $(PARTS))

lint: ## go vet, staticcheck, gofmt, shellcheck, clang-format
	$(call need,$(LINT_TOOLS))
	scripts/lint.sh

fmt: ## format Go and C
	$(call need,$(FORMAT_TOOLS))
	gofmt -w $$(find . -name '*.go' -not -name '*_bpfel.go')
	find . -name '*.[ch]' -exec clang-format-16 -i {} +

generate: ## compile the BPF programs with the pinned clang; the results are committed
	$(call need,$(CLANG_TOOLS))
	go generate ./...

check-generated: ## fail if the committed results of generate are not what the sources make
	$(call need,$(CLANG_TOOLS))
	scripts/check-generated.sh

docs: ## write docs/events.md and docs/probes.md from the tables
	go test . -run TestDocs -update

clean: ## remove what was built here (cached kernels stay in $BELTRACE_CACHE or /var/cache/beltrace)
	rm -rf bin dist

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
