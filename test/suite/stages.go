// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// kernelPackages attach probes to the running kernel and measure it: as root they run alone, and never from the test
// cache. Without privileges their other tests run as unit tests.
var kernelPackages = []string{"beltrace/collector/live", "beltrace/test/truth"}

// stages are the parts of the suite in the order in which they run: the quick ones first.
func stages(o options) []stage {
	return []stage{
		{Name: "unit tests", Commands: unitTests},
		{Name: "kernel tests on this machine", Commands: kernelTests, LeftOut: notRoot()},
		{Name: "fuzz tests", Commands: fuzzTests(o.Fuzz), LeftOut: noFuzz(o.Fuzz)},
		{Name: "kernel tests in guests", Commands: guestTests("amd64"), LeftOut: noGuests(o, "qemu-system-x86_64", "qemu-system-x86")},
		{Name: "kernel tests in arm64 guests", Commands: guestTests("arm64"), LeftOut: noGuests(o, "qemu-system-aarch64", "qemu-system-arm")},
		{Name: "other guests", LeftOut: "forced tiers on 5.10 and 7.x, and arm64 beyond 6.12 full: `make test-vm` runs them"},
	}
}

func notRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return "not root: `make test-root` runs them with sudo"
}

func noFuzz(d time.Duration) string {
	if d > 0 {
		return ""
	}
	return "their seeds ran as unit tests; `make test FUZZ=20s` looks for new inputs"
}

func noGuests(o options, qemu, pkg string) string {
	if !o.Guests {
		return "asked not to"
	}
	if _, err := exec.LookPath(qemu); err != nil {
		return fmt.Sprintf("%s is not installed: apt-get install %s", qemu, pkg)
	}
	return ""
}

func unitTests(ctx context.Context) ([][]string, error) {
	all, err := packages(ctx)
	if err != nil {
		return nil, err
	}
	if notRoot() == "" {
		all = slices.DeleteFunc(all, func(p string) bool { return slices.Contains(kernelPackages, p) })
	}
	return [][]string{append([]string{"go", "test", "-json"}, all...)}, nil
}

func kernelTests(context.Context) ([][]string, error) {
	return [][]string{append([]string{"go", "test", "-json", "-count=1", "-p=1", "-timeout=15m"}, kernelPackages...)}, nil
}

func guestTests(arch string) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		// Not by go run: it would not hand on our signal, and the guest would live on.
		const vm = "bin/test-vm"
		_, err := goOutput(ctx, "build", "-o", vm, "./test/vm")
		return [][]string{{vm, "-json", "-ci", "-arch", arch}}, err
	}
}

// fuzzTests runs each fuzz test for a time of its own: go test takes one at a time.
func fuzzTests(d time.Duration) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		out, err := goOutput(ctx, "test", "-list", "^Fuzz", "./...")
		if err != nil {
			return nil, err
		}
		var commands [][]string
		var names []string // of the package whose line comes after them: "ok  	PACKAGE	TIME"
		for line := range strings.Lines(out) {
			switch f := strings.Fields(line); {
			case len(f) == 1 && strings.HasPrefix(f[0], "Fuzz"):
				names = append(names, f[0])
			case len(f) > 1 && f[0] == "ok":
				for _, n := range names {
					commands = append(commands, []string{"go", "test", "-json", "-run=^$", "-fuzz=^" + n + "$", "-fuzztime=" + d.String(), f[1]})
				}
				names = nil
			}
		}
		if len(commands) == 0 {
			return nil, fmt.Errorf("no fuzz test found")
		}
		return commands, nil
	}
}

// packages lists the module's packages.
func packages(ctx context.Context) ([]string, error) {
	out, err := goOutput(ctx, "list", "./...")
	return strings.Fields(out), err
}

func goOutput(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}
